import { createServer, type Server as Listener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

type File = { data: Buffer; state: 'open' | 'held' | 'broken'; waiting: (() => void)[] }

/** A web server of images, whose answers can be held back or fail: jobs then go on as far as a test lets them. */
export class Archive {
  private readonly files = new Map<string, File>()

  private constructor(private readonly listener: Listener) {}

  static start(files: Readonly<Record<string, Buffer>>): Promise<Archive> {
    return new Promise((resolve) => {
      const listener = createServer(({ url = '', headers }, response) => {
        archive.answer(decodeURIComponent(url.slice(1)), headers.range, response)
      })
      const archive = new Archive(listener)
      for (const [name, data] of Object.entries(files)) {
        archive.files.set(name, { data, state: 'open', waiting: [] })
      }
      listener.listen(0, '127.0.0.1', () => resolve(archive))
    })
  }

  /** Where the images are. */
  get urls(): string[] {
    const { port } = this.listener.address() as AddressInfo
    return [...this.files.keys()].map((name) => `http://127.0.0.1:${port}/${encodeURIComponent(name)}`)
  }

  /** Keeps whoever asks for the image waiting. */
  hold(name: string): void {
    this.set(name, 'held')
  }

  /** Lets them have the image, or all of them. */
  release(...names: readonly string[]): void {
    for (const name of names.length > 0 ? names : this.files.keys()) this.set(name, 'open')
  }

  /** Answers for it with an error. */
  break(name: string): void {
    this.set(name, 'broken')
  }

  close(): void {
    this.listener.closeAllConnections()
    this.listener.close()
  }

  private set(name: string, state: File['state']) {
    const file = this.files.get(name)
    if (file === undefined) throw new Error(`there is no ${name}`)
    file.state = state
    if (state === 'held') return
    for (const go of file.waiting.splice(0)) go()
  }

  private answer(name: string, range: string | undefined, response: ServerResponse) {
    const file = this.files.get(name)
    if (file === undefined) {
      response.writeHead(404).end()
    } else if (file.state === 'held') {
      file.waiting.push(() => this.answer(name, range, response))
    } else if (file.state === 'broken') {
      response.writeHead(403).end()
    } else {
      const { data } = file
      const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
      const headers = { 'Content-Type': 'application/fits', 'Accept-Ranges': 'bytes', ETag: `"${name}"` }
      if (from === undefined) {
        response.writeHead(200, { ...headers, 'Content-Length': data.length }).end(data)
        return
      }
      const start = Number(from)
      const end = to === undefined || to === '' ? data.length - 1 : Math.min(Number(to), data.length - 1)
      response
        .writeHead(206, {
          ...headers,
          'Content-Length': end - start + 1,
          'Content-Range': `bytes ${start}-${end}/${data.length}`,
        })
        .end(data.subarray(start, end + 1))
    }
  }
}
