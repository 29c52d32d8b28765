import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { basePath } from '@/shared/config'
import { ask, type Schema } from '@/shared/api/client'
import { hasEnded } from '@/shared/api/phases'
import { ApiError } from '@/shared/api/problem'
import { drawing, isPicture, type Manifest, type ResultUrls } from '@/shared/api/results'

/** A job as its link shows it. The link's secret is in no storage, and goes nowhere but to its own server. */
export type SharedJob = Schema['SharedJob']

const keys = { of: (secret: string) => ['share', secret] as const }
const headers = { Accept: 'application/json' }

const shareUrl = (secret: string) => `/share/${encodeURIComponent(secret)}`
const resultPath = (secret: string, id: string, name: string) =>
  `${shareUrl(secret)}/${id}/results/${encodeURIComponent(name)}`

export const sharedUrls = (secret: string, id: string): ResultUrls => {
  const file = (name: string) => basePath + resultPath(secret, id, name)
  return {
    file,
    picture: (name, ...how) => (isPicture(name) ? file(name) : `${file(name)}/preview?${drawing(...how)}`),
  }
}

export const sharedParameterUrl = (secret: string, id: string, name: string) =>
  `${basePath}${shareUrl(secret)}/${id}/parameters/${encodeURIComponent(name)}`

export const sharedArchiveUrl = (secret: string, format: 'zip' | 'tar') =>
  `${basePath}${shareUrl(secret)}/archive?format=${format}`

export const sharedScriptUrl = (secret: string) => `${basePath}${shareUrl(secret)}/script`

/** No such link, or none any more: one answer for all, which stays. */
export const leadsNowhere = (error: Error | null) => error instanceof ApiError && error.status === 404

/** Between two looks at a job that has not ended, and after one that had no answer. */
const PAUSE = 5_000
const PAUSE_AFTER_FAULT = 15_000

/** When to look again; never at what has ended or leads nowhere. */
export function pauseOf(job: Pick<SharedJob, 'phase'> | undefined, error: Error | null): number | false {
  if (leadsNowhere(error)) return false
  if (job !== undefined && hasEnded(job.phase)) return false
  if (error !== null) return PAUSE_AFTER_FAULT
  return job === undefined ? false : PAUSE
}

export const sharedJobQuery = (secret: string) =>
  queryOptions({
    queryKey: [...keys.of(secret), 'job'] as const,
    queryFn: async ({ signal }) =>
      (await (await ask(shareUrl(secret), { signal, headers })).json()) as SharedJob,
    refetchInterval: ({ state }) => pauseOf(state.data, state.error),
  })

/** All results. While the job runs more come; a long list costs more to read, and is read less often. */
export const sharedResultsQuery = (secret: string, job: SharedJob) =>
  queryOptions({
    queryKey: [...keys.of(secret), 'results', hasEnded(job.phase) ? 'all' : 'some'] as const,
    queryFn: async ({ signal }) => {
      const response = await ask(`${shareUrl(secret)}/${job.jobId}/results`, { signal, headers })
      return ((await response.json()) as Schema['ResultList']).results
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state }) => (hasEnded(job.phase) ? false : PAUSE + 2 * (state.data?.length ?? 0)),
  })

export const sharedManifestQuery = (secret: string, job: SharedJob) =>
  queryOptions({
    queryKey: [...keys.of(secret), 'manifest'] as const,
    queryFn: async ({ signal }) =>
      (await (await ask(resultPath(secret, job.jobId, 'manifest.json'), { signal })).json()) as Manifest,
    // A result never changes.
    staleTime: 'static',
    // Without it the job looks as if nothing had come of it.
    refetchInterval: ({ state }) => pauseUntilRead(state),
  })

/** When to ask again for what is read once; never for what is not there. */
export function pauseUntilRead({ data, error }: { data: unknown; error: Error | null }): number | false {
  if (data !== undefined || !(error instanceof ApiError)) return false
  const passes = error.status === 0 || error.status === 429 || error.status >= 500
  return passes ? PAUSE_AFTER_FAULT : false
}

/** What services say of their parameters: told to everybody. */
export const parametersQuery = (service: string) =>
  queryOptions({
    queryKey: ['share', 'services'] as const,
    queryFn: async ({ signal }) =>
      (await (await ask('/api/v1/services', { signal, headers })).json()) as Schema['ServiceList'],
    select: ({ services }) => services.find(({ name }) => name === service)?.parameters ?? [],
    staleTime: 'static',
  })
