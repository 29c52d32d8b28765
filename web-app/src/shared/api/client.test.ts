import { beforeEach, describe, expect, it, vi } from 'vitest'
import { api, ask, content, send } from './client'
import { session } from './session'

const answer = (status: number, body: unknown = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

describe('requests', () => {
  const fetched = vi.fn<(request: Request) => Promise<Response>>()
  beforeEach(() => {
    fetched.mockReset()
    vi.stubGlobal('fetch', fetched)
    session.set('in')
  })

  it('show that they come from this page', async () => {
    fetched.mockResolvedValue(answer(200, { items: [] }))
    await content(api.GET('/api/v1/jobs', { params: { query: { phase: ['ERROR', 'ABORTED'] } } }))
    const request = fetched.mock.calls[0]?.[0]
    expect(request?.headers.get('Sidereal-Request')).toBe('1')
    expect(request?.credentials).toBe('same-origin')
    expect(new URL(request?.url ?? '').search).toBe('?phase=ERROR&phase=ABORTED')
  })

  it('ask to sign in again when a session has ended, and keep the page', async () => {
    fetched.mockResolvedValue(answer(401, { detail: 'sign in' }))
    await expect(send('/api/v1/me')).rejects.toMatchObject({ status: 401 })
    expect(session.get()).toBe('out')
  })

  it('of what is open to all lead nobody to the login', async () => {
    session.set('unknown')
    fetched.mockResolvedValue(answer(401, { detail: 'sign in' }))
    await expect(ask('/share/secret')).rejects.toMatchObject({ status: 401 })
    expect(session.get()).toBe('unknown')
    session.set('in')
    fetched.mockResolvedValue(answer(401, { detail: 'sign in' }))
    await expect(ask('/share/secret')).rejects.toMatchObject({ status: 401 })
    expect(session.get()).toBe('in')
  })

  it('keep the session when something is only forbidden', async () => {
    fetched.mockResolvedValue(answer(403, { detail: 'not yours' }))
    await expect(send('/api/v1/admin/queue')).rejects.toMatchObject({ status: 403, detail: 'not yours' })
    expect(session.get()).toBe('in')
  })

  it('have status 0 when nobody answers', async () => {
    fetched.mockRejectedValue(new TypeError('Failed to fetch'))
    await expect(send('/api/v1/me')).rejects.toMatchObject({ name: 'ApiError', status: 0 })
  })

  it('that were given up are no errors of the network', async () => {
    const abort = new AbortController()
    abort.abort()
    fetched.mockRejectedValue(new DOMException('aborted', 'AbortError'))
    await expect(send('/api/v1/me', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' })
  })
})
