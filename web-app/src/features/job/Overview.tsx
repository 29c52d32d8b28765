import { useQuery } from '@tanstack/react-query'
import type { Job } from '@/shared/api/jobs'
import { hasEnded, phases } from '@/shared/api/phases'
import { hasManifest, manifestQuery, resultUrl } from '@/shared/api/results'
import { count, duration } from '@/shared/lib/format'
import { Card, Facts } from '@/shared/ui/Page'
import { Icon } from '@/shared/ui/Icon'
import { Meter } from '@/shared/ui/Meter'
import { Loaded } from '@/shared/ui/States'
import { Ago, Moment, Span } from '@/shared/ui/Time'
import { Cutouts } from './Cutouts'
import cx from './job.module.css'

export function Overview({ job }: { job: Job }) {
  return (
    <>
      {job.errorSummary && <Failure job={job} error={job.errorSummary} />}
      {!hasEnded(job.phase) && <Waiting job={job} />}
      {hasManifest(job) && <Results job={job} />}
      {!hasManifest(job) && job.results.length > 0 && <PlainResults job={job} />}
      <Card title="Times and limits">
        <Facts
          items={[
            ['Made', <Moment key="made" at={job.creationTime} />],
            ['Began', <Moment key="began" at={job.startTime} />],
            ['Ended', <Moment key="ended" at={job.endTime} />],
            ['Took', <Span key="took" from={job.startTime} to={job.endTime} />],
            ['Expected to end', <Moment key="quote" at={job.quote} />],
            [
              'Longest run',
              job.executionDuration === 0 ? 'no limit' : duration(job.executionDuration * 1_000),
            ],
            ['Kept until', <Moment key="kept" at={job.destruction} />],
          ]}
        />
      </Card>
    </>
  )
}

function Waiting({ job: { phase, jobInfo, startTime, quote } }: { job: Job }) {
  const { progressDone, progressTotal, progressNote, queuePosition } = jobInfo
  return (
    <Card>
      <div className={cx['waiting']}>
        <strong className={cx['now']}>
          {phase === 'QUEUED' && queuePosition != null
            ? queuePosition <= 1
              ? 'Next in the queue'
              : `${count(queuePosition - 1)} before it in the queue`
            : phases[phase].meaning}
        </strong>
        <span className={cx['dim']}>
          {startTime != null && phase === 'EXECUTING' && (
            <>
              for <Span from={startTime} to={null} />
            </>
          )}
          {quote != null && (
            <>
              , about to end <Ago at={quote} />
            </>
          )}
        </span>
        {progressDone != null && (
          <>
            <Meter label="Progress" done={progressDone} total={progressTotal} />
            <span className={cx['dim']}>
              {count(progressDone)}
              {progressTotal == null ? '' : ` of ${count(progressTotal)}`}
              {progressNote == null ? '' : ` · ${progressNote}`}
            </span>
          </>
        )}
      </div>
    </Card>
  )
}

function Failure({ job, error }: { job: Job; error: NonNullable<Job['errorSummary']> }) {
  return (
    <div className={cx['failure']} role="alert">
      <Icon name="warning" />
      <div>
        <strong>{error.message}</strong>
        <p>
          {error.type === 'transient'
            ? 'This may pass: the same job can be tried again.'
            : 'The same job will fail again. Change it, or ask the operators.'}
          {error.hasDetail && (
            <>
              {' '}
              <a href={resultUrl(job, '').replace(/results\/$/, 'error')}>All that is known</a>
            </>
          )}
        </p>
      </div>
    </div>
  )
}

function Results({ job }: { job: Job }) {
  const query = useQuery(manifestQuery(job))
  return (
    <Loaded query={query} what="Reading the manifest">
      {(manifest) => <Cutouts job={job} manifest={manifest} />}
    </Loaded>
  )
}

function PlainResults({ job }: { job: Job }) {
  return (
    <Card title="Results">
      <ul className={cx['plain']}>
        {job.results.map(({ id, mimeType }) => (
          <li key={id}>
            <a href={resultUrl(job, id)}>{id}</a> <span className={cx['dim']}>{mimeType}</span>
          </li>
        ))}
      </ul>
    </Card>
  )
}
