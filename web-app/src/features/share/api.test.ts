import { beforeEach, describe, expect, it, vi } from 'vitest'
import { QueryClient } from '@tanstack/react-query'
import { ApiError } from '@/shared/api/problem'
import { session } from '@/shared/api/session'
import {
  pauseOf,
  pauseUntilRead,
  sharedArchiveUrl,
  sharedJobQuery,
  sharedParameterUrl,
  sharedUrls,
} from './api'

const gone = new ApiError(404, 'share not found')

describe('the pause until the next look', () => {
  it('is there while the job goes on', () => {
    for (const phase of ['PENDING', 'QUEUED', 'EXECUTING', 'HELD', 'SUSPENDED'] as const)
      expect(pauseOf({ phase }, null)).toBeGreaterThan(1_000)
  })

  it('has no end once the job has ended, or the link leads nowhere', () => {
    for (const phase of ['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED'] as const)
      expect(pauseOf({ phase }, null)).toBe(false)
    expect(pauseOf({ phase: 'EXECUTING' }, gone)).toBe(false)
    expect(pauseOf(undefined, gone)).toBe(false)
  })

  it('is longer while the server is away, or has had too much', () => {
    const running = pauseOf({ phase: 'EXECUTING' }, null)
    for (const error of [new ApiError(0, ''), new ApiError(429, ''), new ApiError(503, '')]) {
      expect(pauseOf({ phase: 'EXECUTING' }, error)).toBeGreaterThan(Number(running))
      expect(pauseOf(undefined, error)).toBeGreaterThan(Number(running))
    }
  })
})

it('asks again for a manifest that could not be read, for as long as it may come', () => {
  for (const status of [0, 429, 502, 503])
    expect(pauseUntilRead({ data: undefined, error: new ApiError(status, '') })).toBeGreaterThan(1_000)
  expect(pauseUntilRead({ data: {}, error: null })).toBe(false)
  expect(pauseUntilRead({ data: undefined, error: null })).toBe(false)
  for (const error of [gone, new ApiError(410, ''), new SyntaxError('no JSON')])
    expect(pauseUntilRead({ data: undefined, error })).toBe(false)
})

describe('what is asked of the server', () => {
  const fetched = vi.fn<(request: Request) => Promise<Response>>()
  beforeEach(() => {
    fetched.mockReset()
    vi.stubGlobal('fetch', fetched)
  })

  it('is the JSON of the link, which sends nobody to the login', async () => {
    session.set('unknown')
    fetched.mockImplementation(() => Promise.resolve(new Response('{}', { status: 401 })))
    const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
    await expect(client.query(sharedJobQuery('a/b'))).rejects.toMatchObject({ status: 401 })
    const request = fetched.mock.calls[0]?.[0]
    expect(new URL(request?.url ?? '').pathname).toBe('/share/a%2Fb')
    expect(request?.headers.get('accept')).toBe('application/json')
    expect(session.get()).toBe('unknown')
  })

  it('is below the link, each name as one segment', () => {
    const urls = sharedUrls('secret', 'id')
    expect(urls.file('a/b.fits')).toBe('/share/secret/id/results/a%2Fb.fits')
    expect(urls.picture('a.fits', 240)).toBe('/share/secret/id/results/a.fits/preview?SIDE=240')
    // A picture is one already.
    expect(urls.picture('a.png', 240)).toBe('/share/secret/id/results/a.png')
    expect(sharedArchiveUrl('secret', 'tar')).toBe('/share/secret/archive?format=tar')
    expect(sharedParameterUrl('secret', 'id', 'POSITIONS')).toBe('/share/secret/id/parameters/POSITIONS')
  })
})
