import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { jobKeys, type Job } from '@/shared/api/jobs'
import { parameterText, resultsQuery } from '@/shared/api/results'
import { failureOf, liveEntries, type Failure } from './live'
import { readLog } from './log'
import type { Entry } from '@/shared/job/manifest'

const NO_ROWS: never[] = []

type Live = {
  /** What is there by now; nothing until all that there was has been read, so that no count is false. */
  entries: Entry[] | undefined
  error: Error | null
  retry: () => void
}

/** The rows of a cutout job that has no manifest yet, as far as its files and its log tell. */
export function useLive(job: Job, wanted: boolean): Live {
  const list = job.parameters.find(({ id }) => id === 'POSITIONS')
  const positions = useQuery({
    queryKey: [...jobKeys.detail(job.jobId), 'positions'],
    queryFn: async () => {
      if (list === undefined) return []
      // Jobs that have ended need no reader of lists.
      const [{ parseList }, text] = await Promise.all([
        import('@/shared/astro/positions'),
        parameterText(job, list),
      ])
      return parseList(text).rows
    },
    enabled: wanted && list !== undefined,
    // What was asked for never changes once it runs.
    staleTime: 'static',
  })
  const results = useQuery({
    ...resultsQuery(job, job.phase === 'EXECUTING'),
    enabled: wanted,
  })
  const failures = useFailures(job, wanted)
  const [rows, files] = [list === undefined ? NO_ROWS : positions.data, results.data]
  const entries = useMemo(
    () =>
      wanted && rows !== undefined && files !== undefined && failures !== undefined
        ? liveEntries(rows, files, failures)
        : undefined,
    [wanted, rows, files, failures],
  )
  return {
    entries,
    error: entries === undefined ? (positions.error ?? results.error) : null,
    retry: () => {
      for (const query of [positions, results]) if (query.error !== null) void query.refetch()
    },
  }
}

/** What the log says to have failed, once it has been read; what is new in it is read whenever the job is read anew. */
function useFailures({ jobId, jobInfo, phase }: Job, wanted: boolean): readonly Failure[] | undefined {
  const [failures, setFailures] = useState<readonly Failure[]>()
  const after = useRef(0)
  const isBusy = useRef(false)
  const { progressDone } = jobInfo
  useEffect(() => {
    if (!wanted || isBusy.current) return
    isBusy.current = true
    const found: Failure[] = []
    readLog(jobId, { after: after.current, follow: false, signal: new AbortController().signal }, (lines) => {
      after.current = lines.at(-1)?.number ?? after.current
      for (const { text } of lines) {
        const failure = failureOf(text)
        if (failure) found.push(failure)
      }
    })
      // Without the log less is known; the page says of the server what other requests of it find.
      .catch(() => undefined)
      .finally(() => {
        isBusy.current = false
        setFailures((old) => (old === undefined || found.length > 0 ? [...(old ?? NO_ROWS), ...found] : old))
      })
  }, [jobId, wanted, progressDone, phase])
  return failures
}
