import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { hasManifest, manifestQuery, resultUrl } from '@/shared/api/results'
import { Failure } from '@/shared/job/Failure'
import { entriesOf, type Entry } from '@/shared/job/manifest'
import { Waiting } from '@/shared/job/Waiting'
import { duration } from '@/shared/lib/format'
import { Card, Facts } from '@/shared/ui/Page'
import { ErrorPanel, Loaded, Loading } from '@/shared/ui/States'
import { Moment, Span } from '@/shared/ui/Time'
import { Cutouts } from './Cutouts'
import { NoticeButton } from './NoticeButton'
import { useLive } from './useLive'
import cx from './job.module.css'

/** Whether there are rows to show: all with a manifest, or those that are there by now. */
const hasRows = (job: Job) => hasManifest(job) || (job.service === 'cutout' && job.startTime != null)

export function Overview({ job }: { job: Job }) {
  return (
    <>
      {job.errorSummary && (
        <Failure error={job.errorSummary}>
          {job.errorSummary.type === 'transient'
            ? 'This may pass: the same job can be tried again.'
            : 'The same job will fail again. Change it, or ask the operators.'}{' '}
          {job.errorSummary.hasDetail && (
            <a href={resultUrl(job, '').replace(/results\/$/, 'error')}>All that is known</a>
          )}
        </Failure>
      )}
      {!hasEnded(job.phase) && <Waiting job={job} aside={<NoticeButton job={job} />} />}
      {hasRows(job) ? <Results job={job} /> : job.results.length > 0 && <PlainResults job={job} />}
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

/** Rows and pictures as they come, and all of them once the job has told that they are all. */
function Results({ job }: { job: Job }) {
  const isFinal = hasManifest(job)
  const query = useQuery({ ...manifestQuery(job), enabled: isFinal })
  const all = useMemo(() => (query.data === undefined ? undefined : entriesOf(query.data)), [query.data])
  // What was seen while it ran stays until all is there, and with it what was chosen.
  const [sawItRun] = useState(!isFinal)
  const live = useLive(job, sawItRun && all === undefined)
  if (!isFinal || (sawItRun && all === undefined && query.error === null)) {
    if (live.entries !== undefined) return <Cutouts job={job} entries={live.entries} final={false} />
    return live.error === null ? (
      <Loading what="Counting what is there by now" />
    ) : (
      <ErrorPanel error={live.error} retry={live.retry} />
    )
  }
  if (query.isPending) {
    return (
      <div className={cx['coming']}>
        <Loading what="Reading the manifest" />
      </div>
    )
  }
  return (
    <Loaded query={query} what="Reading the manifest">
      {() => <Cutouts job={job} entries={all ?? noEntries} final />}
    </Loaded>
  )
}

const noEntries: Entry[] = []

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
