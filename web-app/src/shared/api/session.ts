import { basePath } from '@/shared/config'
import { createStore } from '@/shared/lib/store'

/** `unknown` until the first answer; `out` when a session that was there has ended; `left` when it was ended here. */
export type Session = 'unknown' | 'in' | 'out' | 'left'

export const session = createStore<Session>('unknown')

/** Tabs tell one another of logins and logouts. */
const channel = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('sidereal-session')
type Message = 'in' | 'left'

channel?.addEventListener('message', (event: MessageEvent<Message>) => {
  // Who has left is not taken to the login: the provider may still be about to end its own session, and would let
  // this tab in again.
  session.set(event.data)
})

/** The page of the provider, from which the browser comes back to a path of the app. */
export const loginUrl = (next: string) => `${basePath}/account/login?next=${encodeURIComponent(next)}`

/** The server knows this browser. */
export function signedIn() {
  session.set('in')
}

/** Tells the other tabs that this one has signed in. */
export function announceSignedIn() {
  session.set('in')
  channel?.postMessage('in' satisfies Message)
}

/** Tells the other tabs that the session was ended. */
export function announceLeft() {
  session.set('left')
  channel?.postMessage('left' satisfies Message)
}

/**
 * The server does not know this browser. On a page that has just been opened there is nothing to lose: it goes to
 * the login. One with things on it stays, and asks to sign in beside it.
 */
export function signedOut() {
  if (session.get() === 'unknown') {
    const { pathname, search, hash } = window.location
    window.location.assign(loginUrl(pathname.slice(basePath.length) + search + hash))
  } else if (session.get() === 'in') {
    session.set('out')
  }
}
