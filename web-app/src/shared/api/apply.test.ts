import { QueryClient, QueryObserver } from '@tanstack/react-query'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { applyEvents, arrivals, inPages } from './apply'
import { parseEvent } from './events'
import { jobKeys, type JobSummary } from './jobs'
import { manifestQuery } from './results'

const job = (id: string, version = 1, more: Partial<JobSummary> = {}): JobSummary => ({
  id,
  service: 'cutout',
  href: `http://localhost/api/cutout/async/${id}`,
  phase: 'QUEUED',
  creationTime: '2026-11-21T14:00:00Z',
  results: 0,
  version,
  ...more,
})
const pages = (...lists: JobSummary[][]) => ({
  pages: lists.map((items) => ({ items })),
  pageParams: lists.map(() => ''),
})
const none = new Set<string>()

describe('inPages', () => {
  it('changes jobs in their places', () => {
    const list = pages([job('a'), job('b')], [job('c')])
    const next = inPages(list, new Map([['c', job('c', 2, { phase: 'EXECUTING' })]]), none)
    expect(next.pages[1]?.items[0]?.phase).toBe('EXECUTING')
    expect(next.pages[0]).toBe(list.pages[0])
  })

  it('keeps what is newer than the event', () => {
    const list = pages([job('a', 5, { phase: 'COMPLETED' })])
    expect(inPages(list, new Map([['a', job('a', 4)]]), none)).toBe(list)
  })

  it('takes out what is gone', () => {
    const next = inPages(pages([job('a'), job('b')]), new Map(), new Set(['a']))
    expect(next.pages[0]?.items.map(({ id }) => id)).toEqual(['b'])
  })
})

describe('applyEvents', () => {
  beforeEach(() => arrivals.set(new Set()))

  it('counts jobs that no list has, and never puts them in', () => {
    const client = new QueryClient()
    client.setQueryData(jobKeys.list({}), pages([job('a')]))
    applyEvents(client, [
      { kind: 'job', job: job('a', 2) },
      { kind: 'job', job: job('b') },
    ])
    expect([...arrivals.get()]).toEqual(['b'])
    expect(client.getQueryData<ReturnType<typeof pages>>(jobKeys.list({}))?.pages[0]?.items).toEqual([
      job('a', 2),
    ])
  })

  it('takes the last of several events of a job', () => {
    const client = new QueryClient()
    client.setQueryData(jobKeys.list({}), pages([job('a')]))
    applyEvents(client, [
      { kind: 'progress', job: job('a', 3, { progressDone: 9 }) },
      { kind: 'progress', job: job('a', 2, { progressDone: 4 }) },
    ])
    expect(
      client.getQueryData<ReturnType<typeof pages>>(jobKeys.list({}))?.pages[0]?.items[0]?.progressDone,
    ).toBe(9)
  })

  it('brings into an open job how much of it has failed', () => {
    const client = new QueryClient()
    client.setQueryData(jobKeys.detail('a'), { jobId: 'a', phase: 'EXECUTING', jobInfo: {} })
    const ended = job('a', 3, { phase: 'COMPLETED', progressDone: 4, progressTotal: 4, progressFailed: 2 })
    applyEvents(client, [{ kind: 'job', job: ended }])
    expect(client.getQueryData(jobKeys.detail('a'))).toMatchObject({
      phase: 'COMPLETED',
      jobInfo: { progressDone: 4, progressTotal: 4, progressFailed: 2 },
    })
  })

  it('has all read anew after a gap', () => {
    const client = new QueryClient()
    client.setQueryData(jobKeys.list({}), pages([job('a')]))
    applyEvents(client, [{ kind: 'resync' }])
    expect(client.getQueryState(jobKeys.list({}))?.isInvalidated).toBe(true)
  })
})

describe('parseEvent', () => {
  it('reads what the server sends', () => {
    expect(parseEvent('progress', JSON.stringify(job('a')))).toEqual({ kind: 'progress', job: job('a') })
    expect(parseEvent('job', '{"id":"a","service":"echo","destroyed":"2026-11-21T14:00:00Z"}')).toEqual({
      kind: 'destroyed',
      id: 'a',
    })
    expect(parseEvent('resync', '{}')).toEqual({ kind: 'resync' })
  })

  it.each([
    ['job', 'nonsense'],
    ['job', '7'],
    ['job', '{}'],
    ['later', '{}'],
  ])('leaves out %s %s', (kind, data) => expect(parseEvent(kind, data)).toBeUndefined())
})

it('reads no result again because a job has changed or the stream was cut: results never change', async () => {
  const client = new QueryClient()
  const read = vi.fn(() => Promise.resolve({ counts: { ok: 0, failed: 0 }, rows: [] }))
  const query = { ...manifestQuery({ service: 'cutout', jobId: 'a' }), queryFn: read }
  const stop = new QueryObserver(client, query).subscribe(() => undefined)
  await vi.waitFor(() => expect(client.getQueryData(query.queryKey)).toBeDefined())
  applyEvents(client, [{ kind: 'job', job: job('a', 2) }])
  applyEvents(client, [{ kind: 'resync' }])
  expect(client.isFetching()).toBe(0)
  expect(read).toHaveBeenCalledOnce()
  stop()
})
