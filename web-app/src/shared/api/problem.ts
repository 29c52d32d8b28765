import { PartMissing } from '@/shared/lib/lazy-page'
import type { components } from './schema.gen'

export type Problem = components['schemas']['Problem']
export type Fault = components['schemas']['Fault']

/** An answer of the server that is no success, or no answer at all (status 0). */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly status: number,
    readonly detail: string,
    readonly requestId?: string,
    readonly faults: readonly Fault[] = [],
    /** When the thing was destroyed, with 410. */
    readonly destroyed?: string,
  ) {
    super(detail)
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null
const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)

/** The error that an answer stands for. Anything may stand between us and the server: nothing is assumed. */
export async function problemOf(response: Response): Promise<ApiError> {
  let body: unknown
  try {
    body = JSON.parse(await response.text())
  } catch {
    body = undefined
  }
  const problem = isRecord(body) ? body : {}
  const faults = Array.isArray(problem['errors']) ? problem['errors'].filter(isFault) : []
  return new ApiError(
    response.status,
    text(problem['detail']) ?? text(problem['title']) ?? `The server answered ${response.status}.`,
    text(problem['requestId']) ?? response.headers.get('x-request-id') ?? undefined,
    faults,
    text(problem['destroyed']),
  )
}

const isFault = (value: unknown): value is Fault =>
  isRecord(value) && typeof value['parameter'] === 'string' && typeof value['message'] === 'string'

export type Explanation = { title: string; advice: string }

/** What an error means for who looks at the page, and what can be done. */
export function explain(error: unknown): Explanation {
  if (error instanceof PartMissing) {
    return {
      title: 'This part of the app did not come',
      advice: 'Check your connection and try again. If a new version is announced, reload the page.',
    }
  }
  if (!(error instanceof ApiError)) {
    return {
      title: 'This page has failed',
      advice: 'Reload it. If that does not help, tell the operators what you did.',
    }
  }
  switch (error.status) {
    case 0:
      return {
        title: 'The server cannot be reached',
        advice: 'Check your connection. This page tries again by itself.',
      }
    case 401:
      return { title: 'You are signed out', advice: 'Sign in again; what you have typed stays.' }
    case 403:
      return {
        title: 'This is not yours to see',
        advice: 'Ask its owner for a share link, or an operator for the role.',
      }
    case 404:
      return { title: 'There is no such thing here', advice: 'Check the address.' }
    case 410:
      return { title: 'This was destroyed', advice: 'Its results are gone. The request can be made anew.' }
    case 413:
      return { title: 'This is too large to send', advice: 'Split the list into several jobs.' }
    case 429:
      return { title: 'That is too much at once', advice: 'Wait a little, or for jobs of yours to end.' }
    default:
      return error.status >= 500
        ? {
            title: 'The server has failed',
            advice: 'Try again. If it stays so, tell the operators the number below.',
          }
        : { title: 'The server has refused this', advice: 'Mend what it names and try again.' }
  }
}

/** One sentence for a toast. */
export const sentence = (error: unknown) =>
  error instanceof ApiError ? error.detail : error instanceof Error ? error.message : 'Something has failed.'
