import type { ReactNode } from 'react'
import type { Job } from '@/shared/api/jobs'
import { phases } from '@/shared/api/phases'
import { count, duration } from '@/shared/lib/format'
import { Card } from '@/shared/ui/Page'
import { Meter } from '@/shared/ui/Meter'
import { Ago, Span, useNow } from '@/shared/ui/Time'
import { expectedEnd } from './standing'
import cx from './job.module.css'

type Standing = Pick<Job, 'phase' | 'jobInfo' | 'startTime' | 'quote'>

/** Where a job stands that has not ended: its place in the queue, or how far it is. */
export function Waiting({ job, aside }: { job: Standing; aside?: ReactNode }) {
  const { phase, jobInfo, startTime, quote } = job
  const { progressDone, progressTotal, progressFailed, progressNote, queuePosition } = jobInfo
  const isRunning = phase === 'EXECUTING'
  return (
    <Card>
      <div className={cx['waiting']}>
        <div className={cx['waitingHead']}>
          <strong className={cx['now']}>
            {phase === 'QUEUED' && queuePosition != null
              ? queuePosition <= 1
                ? 'Next in the queue'
                : `${count(queuePosition - 1)} before it in the queue`
              : phases[phase].meaning}
          </strong>
          {aside}
        </div>
        <span className={cx['dim']}>
          {startTime != null && isRunning && (
            <>
              for <Span from={startTime} to={null} />
            </>
          )}
          {isRunning && progressDone != null && progressTotal != null && <Left job={job} />}
          {quote != null && (
            <>
              , expected to end <Ago at={quote} />
            </>
          )}
        </span>
        {isRunning && progressDone != null && (
          <>
            <Meter label="Progress" done={progressDone} total={progressTotal} />
            <span className={cx['dim']}>
              {count(progressDone)}
              {progressTotal == null ? '' : ` of ${count(progressTotal)} done`}
              {progressFailed == null || progressFailed === 0 ? '' : `, ${count(progressFailed)} failed`}
              {progressNote == null ? '' : ` · ${progressNote}`}
            </span>
          </>
        )}
      </div>
    </Card>
  )
}

function Left({ job }: { job: Standing }) {
  const now = useNow()
  const end = expectedEnd(job, now)
  return end === undefined ? null : (
    <>, about {duration(Math.max(1_000, Math.round((end - now) / 1_000) * 1_000))} left</>
  )
}
