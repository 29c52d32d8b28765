import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { plain } from '@/shared/lib/format'
import { api, content, send, type Schema } from './client'
import { live } from './events'
import { hasEnded, type Phase } from './phases'

export type JobSummary = Schema['JobSummary']
export type Job = Schema['ServiceJob']
export type JobPage = Schema['JobPage']

/** What a list of jobs is asked for by: the state of the jobs page. */
export type JobFilter = {
  service?: string[]
  phase?: Phase[]
  q?: string
  after?: string
  before?: string
  owner?: string
}

/** What people call a job: its label, else its service and the end of its id. */
export const jobName = (
  job: Pick<JobSummary, 'runId' | 'service' | 'id'> | Pick<Job, 'runId' | 'service' | 'jobId'>,
) =>
  (job.runId == null ? undefined : plain(job.runId)) ??
  `${job.service} ${('id' in job ? job.id : job.jobId).slice(-8)}`

const PAGE = 50

export const jobKeys = {
  all: ['jobs'] as const,
  lists: ['jobs', 'list'] as const,
  list: (filter: JobFilter) => ['jobs', 'list', filter] as const,
  allCounts: ['jobs', 'counts'] as const,
  counts: (filter: JobFilter) => ['jobs', 'counts', filter] as const,
  details: ['jobs', 'detail'] as const,
  detail: (id: string) => ['jobs', 'detail', id] as const,
  results: (id: string) => ['jobs', 'detail', id, 'results'] as const,
  shares: (id: string) => ['jobs', 'shares', id] as const,
}

/** Without the stream of events a page asks by itself. */
const pace = (milliseconds: number) => () => (live.get() === 'open' ? (false as const) : milliseconds)

export const jobListQuery = (filter: JobFilter) =>
  infiniteQueryOptions({
    queryKey: jobKeys.list(filter),
    queryFn: ({ pageParam, signal }) =>
      content(
        api.GET('/api/v1/jobs', {
          params: { query: { ...filter, limit: PAGE, ...(pageParam === '' ? {} : { cursor: pageParam }) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next ?? undefined,
    // All pages are read again: the more there are, the less often.
    refetchInterval: (query) => pace(15_000 * (query.state.data?.pages.length ?? 1))(),
  })

/** The first few jobs of a filter, for a page that shows no more. */
export const fewJobsQuery = (filter: JobFilter, limit: number) =>
  queryOptions({
    queryKey: [...jobKeys.list(filter), 'few', limit] as const,
    queryFn: ({ signal }) =>
      content(api.GET('/api/v1/jobs', { params: { query: { ...filter, limit } }, signal })),
    refetchInterval: pace(15_000),
  })

export const jobCountsQuery = (filter: JobFilter) =>
  queryOptions({
    queryKey: jobKeys.counts(filter),
    queryFn: ({ signal }) => content(api.GET('/api/v1/jobs/counts', { params: { query: filter }, signal })),
    refetchInterval: pace(15_000),
  })

export const jobQuery = (id: string) =>
  queryOptions({
    queryKey: jobKeys.detail(id),
    queryFn: async ({ signal, client }) => {
      const job = await content(api.GET('/api/v1/jobs/{id}', { params: { path: { id } }, signal }))
      const before = client.getQueryData<Job>(jobKeys.detail(id))
      // Nothing asks for its results from now on, and no event has told that there are more than were read.
      if (before !== undefined && !hasEnded(before.phase) && hasEnded(job.phase))
        void client.invalidateQueries({ queryKey: jobKeys.results(id) })
      return job
    },
    refetchInterval: (query) => {
      const job = query.state.data
      if (job === undefined || hasEnded(job.phase)) return job === undefined ? pace(5_000)() : false
      // No event tells of the queue before a job.
      return job.phase === 'QUEUED' ? 5_000 : pace(5_000)()
    },
  })

export type NewJob = Schema['NewJob']

/** Does again what failed in a job, as a new one. */
export const retryJob = (id: string, key: string) =>
  content(
    api.POST('/api/v1/jobs/{id}/retry', {
      params: { path: { id }, header: { 'Idempotency-Key': key } },
    }),
  )

/** Makes a job. The key makes a second click, or a try after a lost answer, the same job. */
export const createJob = (job: NewJob, key: string) =>
  content(api.POST('/api/v1/jobs', { params: { header: { 'Idempotency-Key': key } }, body: job }))

export const setPhase = (job: Pick<Job, 'service' | 'jobId'>, phase: 'RUN' | 'ABORT') =>
  send(`/api/${job.service}/async/${job.jobId}/phase`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ PHASE: phase }),
  })

export const setDestruction = (job: Pick<Job, 'service' | 'jobId'>, time: string) =>
  send(`/api/${job.service}/async/${job.jobId}/destruction`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ DESTRUCTION: time }),
  })

export const holdJob = (id: string) =>
  content(api.POST('/api/v1/jobs/{id}/hold', { params: { path: { id } } }))

export const labelJob = (id: string, runId: string | null) =>
  content(api.PATCH('/api/v1/jobs/{id}', { params: { path: { id } }, body: { runId: runId ?? undefined } }))

export const destroyJob = async (id: string) => {
  await api.DELETE('/api/v1/jobs/{id}', { params: { path: { id } } })
}

export const bulk = (body: Schema['Bulk']) => content(api.POST('/api/v1/jobs/bulk', { body }))
