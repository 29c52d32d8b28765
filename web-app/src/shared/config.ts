/** What the server tells the page by its own markup. */

const meta = (name: string) => document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)?.content ?? ''

/** Path of the server's public URL, without a slash at its end; empty for most. */
export const basePath = meta('sidereal-base').replace(/\/$/, '')

/** A path of the server as an absolute URL, for what is shown to people and programs. */
export const serverUrl = (path: string) => `${window.location.origin}${basePath}${path}`

/** The nonce by which this page's policy allows style elements; browsers hide it from the attribute. */
export const cspNonce = () =>
  document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce ?? ''
