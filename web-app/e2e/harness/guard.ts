import type { BrowserContext, ConsoleMessage, Request } from 'playwright-core'

/**
 * Sees all that the pages of a browser say and ask for: an error on the console, of a script or of a policy, and a
 * request to another origin than those that are allowed are faults, which fail the test unless it expects them.
 */
export class Guard {
  private readonly faults: string[] = []
  private readonly expected: RegExp[] = []
  private readonly origins = new Set<string>()

  constructor(context: BrowserContext) {
    context.on('console', (message) => this.said(message))
    context.on('weberror', (error) => this.fault(`a script failed: ${error.error().message}`))
    context.on('request', (request) => this.asked(request))
  }

  /** Requests may go there. */
  allow(...origins: readonly string[]): void {
    for (const origin of origins) this.origins.add(new URL(origin).origin)
  }

  /** What this test brings about on purpose, such as the console's word on an answer of 404. */
  expect(...faults: readonly RegExp[]): void {
    this.expected.push(...faults)
  }

  /** Fails if there was anything that nobody expects. */
  check(): void {
    const rest = this.faults.filter((fault) => !this.expected.some((one) => one.test(fault)))
    if (rest.length > 0) throw new Error(`the pages have faults:\n${[...new Set(rest)].join('\n')}`)
  }

  private fault(text: string) {
    this.faults.push(text)
  }

  private said(message: ConsoleMessage) {
    const text = message.text()
    const { url } = message.location()
    // The provider's pages are not ours to mend.
    if (message.type() !== 'error' && !/content security policy/i.test(text)) return
    if (!this.isOurs(url) && !this.isOurs(message.page()?.url() ?? '')) return
    this.fault(`the console at ${url}: ${text}`)
  }

  private asked(request: Request) {
    const url = request.url()
    if (/^(data|blob|about):/.test(url) || this.origins.has(new URL(url).origin)) return
    this.fault(`a request to another origin: ${url}`)
  }

  /** The first origin that was allowed is the server's. */
  private isOurs(url: string): boolean {
    const [first] = this.origins
    return first === undefined || url === '' || url.startsWith(first)
  }
}
