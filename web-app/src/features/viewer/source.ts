/** Which address the viewer opens: a result of a job on this server, and nothing else. */

const RESULT = /^\/api\/([\w-]+)\/async\/([\w-]+)\/results\/([^/]+)$/

export type ResultAddress = { path: string; service: string; jobId: string; name: string }

/** The result that an address names, its path without the base; undefined if it names none of this server. */
export function resultAddress(src: string, origin: string, base: string): ResultAddress | undefined {
  let url: URL
  try {
    url = new URL(src, origin)
  } catch {
    return undefined
  }
  if (url.origin !== new URL(origin).origin || url.username !== '' || url.password !== '') return undefined
  const path = url.pathname.startsWith(`${base}/`) ? url.pathname.slice(base.length) : undefined
  const [, service, jobId, coded] = RESULT.exec(path ?? '') ?? []
  if (path === undefined || service === undefined || jobId === undefined || coded === undefined)
    return undefined
  let name: string
  try {
    name = decodeURIComponent(coded)
  } catch {
    return undefined
  }
  // A name with a slash or a control character would be another path.
  // eslint-disable-next-line no-control-regex
  if (/[/\\\u0000-\u001f]/.test(name) || name === '.' || name === '..') return undefined
  return { path, service, jobId, name }
}
