import createClient from 'openapi-fetch'
import { basePath } from '@/shared/config'
import { ApiError, problemOf } from './problem'
import type { components, paths } from './schema.gen'
import { signedOut } from './session'

export type Schema = components['schemas']

/**
 * A request to the server, always with the session's cookie and the header that shows that it comes from this
 * page and not by a form of another one. The global is looked up at each call, so that tests can replace it.
 * For what needs no login: nobody is asked to sign in.
 */
export async function ask(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = new Request(typeof input === 'string' ? basePath + input : input, {
    credentials: 'same-origin',
    ...init,
  })
  request.headers.set('Sidereal-Request', '1')
  let response: Response
  try {
    response = await globalThis.fetch(request)
  } catch (error) {
    if (request.signal.aborted) throw error
    throw new ApiError(0, 'No answer from the server.')
  }
  // Where a change leads to need not be read: what it changed is.
  if (response.type === 'opaqueredirect') return response
  if (!response.ok) throw await problemOf(response)
  return response
}

/** The same for those who are signed in; who is not any more is asked to. */
export async function send(input: Request | string, init?: RequestInit): Promise<Response> {
  try {
    return await ask(input, init)
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) signedOut()
    throw error
  }
}

export const api = createClient<paths>({ baseUrl: basePath || window.location.origin, fetch: send })

/** The content of an answer. Errors were thrown by `send`. */
export async function content<T>(answer: Promise<{ data?: T }>): Promise<T> {
  const { data } = await answer
  if (data === undefined) throw new ApiError(0, 'The server gave an empty answer.')
  return data
}
