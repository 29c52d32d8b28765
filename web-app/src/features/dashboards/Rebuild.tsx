import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { jobKeys, jobQuery, type Job } from '@/shared/api/jobs'
import { hasEnded, phases } from '@/shared/api/phases'
import { Icon } from '@/shared/ui/Icon'
import { Meter } from '@/shared/ui/Meter'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { Span } from '@/shared/ui/Time'
import { complain } from '@/shared/ui/toasts'
import { isOver, rebuild, refresh, type DashboardHistory, type DashboardJob } from './api'
import cx from './dashboards.module.css'

export type Run = {
  /** `force`: also if nothing has changed. */
  start: (force: boolean) => void
  /** A job is being made, or is not over. */
  busy: boolean
  job: Job | undefined
  /** What the product's history says of that job. */
  told: DashboardJob | undefined
}

/** The rebuild of a product: one that is not over and the caller may see, else the one that was asked for here. */
export function useRebuild(dashboard: DashboardHistory): Run {
  const client = useQueryClient()
  const [made, setMade] = useState<string>()
  const make = useMutation({
    mutationFn: (force: boolean) => rebuild([dashboard], force),
    onSuccess: ([job]) => {
      if (job === undefined) return
      client.setQueryData(jobKeys.detail(job.jobId), job)
      setMade(job.jobId)
      void refresh(client)
    },
    onError: complain,
  })
  const id = followed(dashboard.jobs, made)
  // It is followed on once it is over.
  if (id !== made) setMade(id)
  const { data: job } = useQuery({ ...jobQuery(id ?? ''), enabled: id !== undefined })
  const ended = job !== undefined && hasEnded(job.phase)

  // What it has made is read as soon as it has ended.
  const wasRunning = useRef(false)
  useEffect(() => {
    if (ended && wasRunning.current) void refresh(client)
    wasRunning.current = job !== undefined && !ended
  }, [client, job, ended])

  return {
    start: (force) => make.mutate(force),
    busy: make.isPending || (id !== undefined && !ended),
    job,
    told: dashboard.jobs.find(({ jobId }) => jobId === id),
  }
}

/** The one that was made here, as long as it is not over; else another that is not. */
export function followed(jobs: readonly DashboardJob[], made: string | undefined): string | undefined {
  const own = jobs.find(({ jobId }) => jobId === made)
  // What was just made is not told of yet.
  if (made !== undefined && (own === undefined || !isOver(own))) return made
  return jobs.find((job) => job.visible && !isOver(job))?.jobId ?? made
}

/** For operators. */
export function RebuildButton({ run: { start, busy } }: { run: Run }) {
  return (
    <Button leftSection={<Icon name="refresh" />} loading={busy} onClick={() => start(false)}>
      Rebuild
    </Button>
  )
}

/** How the rebuild goes. A screen reader is told of phases, not of each second. */
export function RunLine({ run: { job, told, start, busy }, may }: { run: Run; may: boolean }) {
  const ended = job !== undefined && hasEnded(job.phase)
  const result = job === undefined || !ended ? '' : resultOf(job, told)
  return (
    <>
      <p className={cx['announcer']} role="status">
        {job === undefined ? '' : `Rebuild: ${phases[job.phase].word}. ${result}`}
      </p>
      {job !== undefined && (
        <div className={cx['run']}>
          <PhaseChip phase={job.phase} />
          <Link to="/jobs/$jobId" params={{ jobId: job.jobId }}>
            This rebuild
          </Link>
          {!ended && <Progress job={job} />}
          <Span from={job.startTime} to={job.endTime} />
          {result !== '' && <span>{result}</span>}
          {may && !busy && job.phase === 'COMPLETED' && told?.unchanged === true && (
            <Button variant="subtle" size="compact-sm" onClick={() => start(true)}>
              Make the pages anew all the same
            </Button>
          )}
        </div>
      )}
    </>
  )
}

function Progress({ job: { jobInfo } }: { job: Job }) {
  const { progressDone, progressTotal, progressNote } = jobInfo
  return (
    <>
      {progressTotal != null && (
        <span className={cx['meter']}>
          <Meter label="Progress" done={progressDone ?? 0} total={progressTotal} />
        </span>
      )}
      {progressNote != null && <span>{progressNote}</span>}
    </>
  )
}

function resultOf(job: Job, told: DashboardJob | undefined): string {
  if (job.phase === 'ERROR') return told?.message ?? job.errorSummary?.message ?? ''
  if (job.phase !== 'COMPLETED' || told?.unchanged == null) return ''
  return told.unchanged ? 'Nothing had changed: the pages stayed as they were.' : 'The pages are new.'
}
