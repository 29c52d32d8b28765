import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { jobKeys, type Job } from '@/shared/api/jobs'
import { parameterText, resultsQuery } from '@/shared/api/results'
import { parseList } from '@/shared/astro/positions'
import { failureOf, liveEntries, type Failure } from './live'
import { readLog } from './log'
import type { Entry } from './manifest'

const NO_ROWS: never[] = []

/** The rows of a cutout job that has no manifest yet, as far as its files and its log tell. */
export function useLive(job: Job, wanted: boolean): Entry[] {
  const list = job.parameters.find(({ id }) => id === 'POSITIONS')
  const { data: rows = NO_ROWS } = useQuery({
    queryKey: [...jobKeys.detail(job.jobId), 'positions'],
    queryFn: async () => (list === undefined ? [] : parseList(await parameterText(job, list)).rows),
    enabled: wanted && list !== undefined,
    // What was asked for never changes once it runs.
    staleTime: 'static',
  })
  const { data: results = NO_ROWS } = useQuery({
    ...resultsQuery(job, job.phase === 'EXECUTING'),
    enabled: wanted,
  })
  const failures = useFailures(job, wanted)
  return useMemo(
    () => (wanted ? liveEntries(rows, results, failures) : NO_ROWS),
    [wanted, rows, results, failures],
  )
}

/** What the log says to have failed; what is new in it is read whenever the job is read anew. */
function useFailures({ jobId, jobInfo, phase }: Job, wanted: boolean): readonly Failure[] {
  const [failures, setFailures] = useState<readonly Failure[]>(NO_ROWS)
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
        if (found.length > 0) setFailures((old) => [...old, ...found])
      })
  }, [jobId, wanted, progressDone, phase])
  return failures
}
