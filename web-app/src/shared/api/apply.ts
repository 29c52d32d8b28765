import type { InfiniteData, QueryClient } from '@tanstack/react-query'
import { createStore } from '@/shared/lib/store'
import type { ServerEvent } from './events'
import { jobKeys, type Job, type JobPage, type JobSummary } from './jobs'

type Pages = InfiniteData<JobPage, string>

/** Jobs that have come since the lists were read, and are on none of their pages. */
export const arrivals = createStore<ReadonlySet<string>>(new Set())

const newer = (old: JobSummary, job: JobSummary) => job.version >= old.version

function inPage(page: JobPage, jobs: ReadonlyMap<string, JobSummary>, gone: ReadonlySet<string>): JobPage {
  let changed = false
  const items: JobSummary[] = []
  for (const old of page.items) {
    const job = jobs.get(old.id)
    if (gone.has(old.id)) {
      changed = true
    } else if (job !== undefined && newer(old, job)) {
      items.push(job)
      changed = true
    } else {
      items.push(old)
    }
  }
  return changed ? { ...page, items } : page
}

/** A list with jobs as they now are, each in its place, without those that are gone. */
export function inPages(
  pages: Pages,
  jobs: ReadonlyMap<string, JobSummary>,
  gone: ReadonlySet<string>,
): Pages {
  const next = pages.pages.map((page) => inPage(page, jobs, gone))
  return next.every((page, index) => page === pages.pages[index]) ? pages : { ...pages, pages: next }
}

/** A job with what a summary says of it. */
export const withSummary = (job: Job, summary: JobSummary): Job => ({
  ...job,
  phase: summary.phase,
  runId: summary.runId,
  startTime: summary.startTime,
  endTime: summary.endTime,
  destruction: summary.destruction,
  jobInfo: {
    ...job.jobInfo,
    progressDone: summary.progressDone,
    progressTotal: summary.progressTotal,
    progressFailed: summary.progressFailed,
    progressNote: summary.progressNote,
  },
})

/** Brings a batch of events into what has been read, and has that read anew which they do not tell. */
export function applyEvents(client: QueryClient, events: readonly ServerEvent[]) {
  if (events.some(({ kind }) => kind === 'resync')) {
    void client.invalidateQueries({ queryKey: jobKeys.all })
    void client.invalidateQueries({ queryKey: ['me'] })
    return
  }
  const jobs = new Map<string, JobSummary>()
  const changed = new Set<string>()
  const gone = new Set<string>()
  for (const event of events) {
    if (event.kind === 'destroyed') gone.add(event.id)
    else if (event.kind !== 'resync') {
      const { id } = event.job
      const known = jobs.get(id)
      if (known === undefined || newer(known, event.job)) jobs.set(id, event.job)
      if (event.kind === 'job') changed.add(id)
    }
  }
  const known = new Set<string>()
  for (const [key, data] of client.getQueriesData<Pages | JobPage>({ queryKey: jobKeys.lists })) {
    if (data === undefined) continue
    const pages = 'pages' in data ? data.pages : [data]
    for (const page of pages) for (const { id } of page.items) known.add(id)
    client.setQueryData(key, 'pages' in data ? inPages(data, jobs, gone) : inPage(data, jobs, gone))
  }
  for (const [id, summary] of jobs) {
    client.setQueryData<Job>(jobKeys.detail(id), (job) => job && withSummary(job, summary))
    // A summary has no results, quote, or detail of an error.
    if (changed.has(id)) void client.invalidateQueries({ queryKey: jobKeys.detail(id) })
  }
  for (const id of gone) void client.invalidateQueries({ queryKey: jobKeys.detail(id) })

  const unknown = [...changed].filter((id) => !known.has(id) && jobs.get(id)?.phase !== 'ARCHIVED')
  if (unknown.length > 0) arrivals.set(new Set([...arrivals.get(), ...unknown]))
  if (changed.size > 0 || gone.size > 0) {
    void client.invalidateQueries({ queryKey: jobKeys.allCounts })
    void client.invalidateQueries({ queryKey: ['me'] })
    // Short lists have no rows under a pointer that could move away.
    void client.invalidateQueries({
      queryKey: jobKeys.lists,
      predicate: ({ queryKey }) => queryKey.includes('few'),
    })
  }
}
