import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { jobName } from '@/shared/api/jobs'
import { hasEnded, standingLine } from '@/shared/api/phases'
import { hasManifest } from '@/shared/api/results'
import { Announcer } from '@/shared/job/Announcer'
import { Failure } from '@/shared/job/Failure'
import { tabTitle } from '@/shared/job/standing'
import { Waiting } from '@/shared/job/Waiting'
import { Card, Facts, Page } from '@/shared/ui/Page'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { ErrorPanel, Loading, Stale } from '@/shared/ui/States'
import { Ago, Moment, Span } from '@/shared/ui/Time'
import { leadsNowhere, sharedJobQuery, sharedManifestQuery, type SharedJob } from './api'
import { Colours } from './Colours'
import { Files } from './Files'
import { Outcome } from './Outcome'
import { Pictures } from './Pictures'
import { Request } from './Request'
import { Trouble } from './Trouble'
import cx from './share.module.css'

const route = getRouteApi('/share/$secret')

/** A job as somebody sees it who has only its link. */
export function SharedPage(): ReactNode {
  const { secret } = route.useParams()
  const { data: job, error, dataUpdatedAt, refetch } = useQuery(sharedJobQuery(secret))
  // A link that was taken back shows nothing any more, also where it is open.
  if (error !== null && (job === undefined || leadsNowhere(error)))
    return <Trouble error={error} retry={() => void refetch()} />
  if (job === undefined) return <Loading what="Reading what was shared" />
  return (
    <>
      {error !== null && <Stale since={dataUpdatedAt} error={error} retry={() => void refetch()} />}
      <Shared secret={secret} job={job} />
    </>
  )
}

type SharedProps = { secret: string; job: SharedJob }

function Shared({ secret, job }: SharedProps) {
  const isTold = hasManifest(job)
  const {
    data: manifest,
    error,
    refetch,
  } = useQuery({ ...sharedManifestQuery(secret, job), enabled: isTold })
  const title = jobName(job)
  // One that ended before jobs told of it has it in its manifest.
  const failed = job.jobInfo.progressFailed ?? manifest?.counts.failed
  return (
    <Page
      title={title}
      tabTitle={tabTitle(title, job)}
      lead={
        <span className={cx['lead']}>
          <PhaseChip phase={job.phase} failed={failed} />
          <span>{job.service}</span>
          {job.ownerId != null && <span>by {job.ownerId}</span>}
          <span>
            made <Ago at={job.creationTime} />
          </span>
        </span>
      }
    >
      <Announcer text={`${title}: ${standingLine(job.phase, failed)}`} job={job} />
      <p className={cx['dim']}>
        You see this job by a link that was made for you: you can look at it and download what it has made.
        The link ends <Ago at={job.expires} />.
      </p>
      <div className={cx['parts']}>
        {job.errorSummary && <Failure error={job.errorSummary} />}
        {!hasEnded(job.phase) && <Waiting job={job} />}
        {isTold && manifest === undefined && error === null && <Loading what="Reading what came of it" />}
        {isTold && manifest === undefined && error !== null && (
          <Card title="What came of it">
            <ErrorPanel error={error} retry={() => void refetch()} />
          </Card>
        )}
        {manifest !== undefined && <Outcome manifest={manifest} />}
        {manifest !== undefined && <Pictures secret={secret} job={job} manifest={manifest} />}
        <Colours secret={secret} job={job} />
        <Files secret={secret} job={job} manifest={manifest} />
        <Request secret={secret} job={job} />
        <Times job={job} />
      </div>
    </Page>
  )
}

/** When what happened that has happened, and until when it can be had. */
function Times({ job: { creationTime, startTime, endTime, destruction, expires } }: { job: SharedJob }) {
  const times: [string, ReactNode][] = [['Made', <Moment key="made" at={creationTime} />]]
  if (startTime != null) times.push(['Began', <Moment key="began" at={startTime} />])
  if (endTime != null) times.push(['Ended', <Moment key="ended" at={endTime} />])
  if (startTime != null && endTime != null)
    times.push(['Took', <Span key="took" from={startTime} to={endTime} />])
  if (destruction != null) times.push(['Job kept until', <Moment key="kept" at={destruction} />])
  times.push(['Link ends', <Moment key="link" at={expires} />])
  return (
    <Card title="Times">
      <Facts items={times} />
    </Card>
  )
}
