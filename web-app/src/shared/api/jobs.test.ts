import { QueryClient } from '@tanstack/react-query'
import { afterEach, expect, it, vi } from 'vitest'
import { jobKeys, jobQuery } from './jobs'
import type { Phase } from './phases'

afterEach(() => vi.unstubAllGlobals())

it('has the results read once more when a job has ended of which no event told', async () => {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  client.setQueryData(jobKeys.results('a'), [{ id: 'one.fits' }])
  const isOld = async (phase: Phase) => {
    vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ jobId: 'a', phase })))
    await client.query(jobQuery('a'))
    return client.getQueryState(jobKeys.results('a'))?.isInvalidated
  }
  expect(await isOld('EXECUTING')).toBe(false)
  expect(await isOld('EXECUTING')).toBe(false)
  expect(await isOld('COMPLETED')).toBe(true)
  // Once: they change no more.
  client.setQueryData(jobKeys.results('a'), [{ id: 'one.fits' }, { id: 'two.fits' }])
  expect(await isOld('COMPLETED')).toBe(false)
})
