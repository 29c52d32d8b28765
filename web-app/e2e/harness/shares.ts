import type { Page } from 'playwright-core'
import type { Server } from './server.ts'

const DAY = 86_400_000

/** A link to a job, and what ends it. */
export type Link = { path: string; secret: string; revoke: () => Promise<void> }

/** Has the client of the server share this job of its own. */
export async function share(server: Server, job: string): Promise<Link> {
  const shares = `/api/v1/jobs/${job}/shares`
  const answer = await server.fetch(shares, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ expires: new Date(Date.now() + 7 * DAY).toISOString() }),
  })
  if (answer.status !== 201) throw new Error(`no link: ${answer.status} ${await answer.text()}`)
  const { id, url } = (await answer.json()) as { id: string; url: string }
  const path = new URL(url).pathname
  return {
    path,
    secret: path.slice('/share/'.length),
    revoke: async () => {
      await server.fetch(`${shares}/${id}`, { method: 'DELETE' })
    },
  }
}

/** All paths that the pages of a browser ask the server for from now on. */
export function askedPaths(page: Page): string[] {
  const paths: string[] = []
  page.context().on('request', (request) => paths.push(new URL(request.url()).pathname))
  return paths
}

/** Where the browser keeps things, as text. */
export const keptBy = (page: Page) =>
  page.evaluate(() => {
    const all = (storage: Storage) =>
      Array.from({ length: storage.length }, (_, index) => {
        const name = storage.key(index) ?? ''
        return [name, storage.getItem(name)]
      })
    return JSON.stringify([all(localStorage), all(sessionStorage), document.cookie])
  })
