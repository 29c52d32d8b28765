import { describe, expect, it } from 'vitest'
import { ApiError, explain, problemOf, sentence } from './problem'

describe('problemOf', () => {
  it('reads what the server says', async () => {
    const body = {
      type: 'about:blank',
      title: 'Bad Request',
      status: 400,
      detail: 'SIZE: expected a number',
      label: 'UsageError',
      requestId: 'r1',
      errors: [{ parameter: 'SIZE', message: 'expected a number' }, 7, { parameter: 3 }],
    }
    const error = await problemOf(new Response(JSON.stringify(body), { status: 400 }))
    expect(error).toMatchObject({ status: 400, detail: 'SIZE: expected a number', requestId: 'r1' })
    expect(error.faults).toEqual([{ parameter: 'SIZE', message: 'expected a number' }])
  })

  it('knows when a job was destroyed', async () => {
    const body = JSON.stringify({ detail: 'the job was destroyed', destroyed: '2026-11-01T00:00:00Z' })
    const error = await problemOf(new Response(body, { status: 410 }))
    expect(error.destroyed).toBe('2026-11-01T00:00:00Z')
  })

  it.each(['<html>Bad Gateway</html>', '', 'null', '[]', '"x"', '{"detail":7}'])(
    'takes %s from anywhere',
    async (body) => {
      const error = await problemOf(new Response(body, { status: 502, headers: { 'x-request-id': 'r2' } }))
      expect(error).toMatchObject({ status: 502, detail: 'The server answered 502.', requestId: 'r2' })
    },
  )
})

it('explains each kind of error differently', () => {
  const titles = [0, 401, 403, 404, 410, 413, 429, 400, 500].map(
    (status) => explain(new ApiError(status, '')).title,
  )
  expect(new Set(titles).size).toBe(titles.length)
  expect(explain(new ApiError(503, '')).title).toBe(explain(new ApiError(500, '')).title)
  expect(explain(new TypeError('x')).title).toBe('This page has failed')
})

it('says an error in a sentence', () => {
  expect(sentence(new ApiError(400, 'No.'))).toBe('No.')
  expect(sentence(new Error('Broken'))).toBe('Broken')
  expect(sentence(undefined)).toBe('Something has failed.')
})
