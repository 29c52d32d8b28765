import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, renderHook, waitFor } from '@testing-library/react'
import type { ReactNode } from 'react'
import { afterEach, expect, it, vi } from 'vitest'
import type { Job } from '@/shared/api/jobs'
import { useLive } from './useLive'

afterEach(() => {
  cleanup()
  vi.unstubAllGlobals()
})

const job: Job = {
  service: 'cutout',
  href: '',
  jobId: 'j1',
  phase: 'EXECUTING',
  creationTime: '2026-11-21T12:00:00Z',
  executionDuration: 0,
  parameters: [{ id: 'POSITIONS', value: 'RA,DEC,OBJID\n1,2,one\n3,4,two', byReference: false }],
  results: [],
  jobInfo: { progressDone: 1, progressTotal: 2 },
}

function Within({ children }: { children: ReactNode }) {
  return <QueryClientProvider client={client}>{children}</QueryClientProvider>
}
let client = new QueryClient()

it('tells no count before all that was there has been read', async () => {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  let answer: (response: Response) => void = () => undefined
  const results = new Promise<Response>((resolve) => {
    answer = resolve
  })
  const asked: string[] = []
  vi.stubGlobal('fetch', (input: RequestInfo | URL) => {
    const url = input instanceof Request ? input.url : String(input)
    asked.push(url)
    return url.includes('/results') ? results : Promise.resolve(new Response(''))
  })
  const { result } = renderHook(() => useLive(job, true), { wrapper: Within })
  await waitFor(() => expect(asked.some((url) => url.includes('/log'))).toBe(true))
  expect(result.current.entries).toBeUndefined()
  answer(Response.json({ results: [{ id: 'one_90GHz.fits', size: 1, mimeType: 'application/fits' }] }))
  await waitFor(() => expect(result.current.entries).toBeDefined())
  expect(result.current.entries?.map(({ status, data }) => [status, data.id])).toEqual([
    ['ok', 'one'],
    ['waiting', 'two'],
  ])
})

it('says why nothing is known', async () => {
  client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ detail: 'gone' }, { status: 404 })))
  const { result } = renderHook(() => useLive(job, true), { wrapper: Within })
  await waitFor(() => expect(result.current.error).not.toBeNull())
  expect(result.current.entries).toBeUndefined()
})
