import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { Tabs } from '@/shared/ui/kit/tabs'
import { ApiError } from '@/shared/api/problem'
import { jobName, jobQuery, type Job } from '@/shared/api/jobs'
import { standingLine } from '@/shared/api/phases'
import { hasManifest, manifestQuery, resultsQuery } from '@/shared/api/results'
import { Announcer } from '@/shared/job/Announcer'
import { tabTitle } from '@/shared/job/standing'
import { count } from '@/shared/lib/format'
import { Page } from '@/shared/ui/Page'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { ErrorPanel, Loaded, Loading } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { Actions } from './Actions'
import { Overview } from './Overview'
import { useEnding } from './useEnding'
import cx from './job.module.css'

const route = getRouteApi('/jobs/$jobId')

// Each comes when its tab is opened.
const Files = lazy(() => import('./Files').then(({ Files: part }) => ({ default: part })))
const Log = lazy(() => import('./Log').then(({ Log: part }) => ({ default: part })))
const Request = lazy(() => import('./Request').then(({ Request: part }) => ({ default: part })))
const Shares = lazy(() => import('./Shares').then(({ Shares: part }) => ({ default: part })))

export function JobPage() {
  const { jobId } = route.useParams()
  const query = useQuery(jobQuery(jobId))
  if (query.data === undefined && query.error !== null)
    return <NoJob error={query.error} retry={query.refetch} />
  return (
    <Loaded query={query} what="Reading the job">
      {(job) => <JobView key={job.jobId} job={job} />}
    </Loaded>
  )
}

function NoJob({ error, retry }: { error: Error; retry: () => void }) {
  const gone = error instanceof ApiError && [403, 404, 410].includes(error.status)
  return (
    <Page title="Job">
      <ErrorPanel error={error} {...(gone ? {} : { retry })} actions={<Link to="/jobs">To your jobs</Link>} />
    </Page>
  )
}

function JobView({ job }: { job: Job }) {
  const { tab } = route.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId' })
  const title = jobName(job)
  useEnding(title, job)
  // Its own document has few of them where there are many.
  const { data: all = job.results } = useQuery({ ...resultsQuery(job, false), enabled: false })
  const files = all.filter(({ id }) => id !== 'result').length
  // One that ended before jobs told of it has it in its manifest.
  const told = job.jobInfo.progressFailed
  const asks = told == null && hasManifest(job)
  const { data: manifest } = useQuery({ ...manifestQuery(job), enabled: asks })
  const failed = told ?? manifest?.counts.failed
  return (
    <Page
      title={title}
      tabTitle={tabTitle(title, job)}
      wide
      lead={
        <span className={cx['lead']}>
          <PhaseChip phase={job.phase} failed={failed} />
          <span>{job.service}</span>
          {job.ownerId != null && <span>by {job.ownerId}</span>}
          <span>
            made <Ago at={job.creationTime} />
          </span>
          <code className={cx['id']}>{job.jobId}</code>
        </span>
      }
      actions={<Actions job={job} />}
    >
      <Announcer text={`${title}: ${standingLine(job.phase, failed)}`} job={job} />
      <Tabs
        value={tab ?? 'overview'}
        onChange={(next) =>
          void navigate({
            search: (old) => ({ ...old, tab: next === 'overview' ? undefined : (next as typeof tab) }),
            replace: true,
          })
        }
        keepMounted={false}
      >
        <Tabs.List className={cx['tabs']}>
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="files">
            Files {files > 3 && <span className={cx['tally']}>{count(files)}</span>}
          </Tabs.Tab>
          <Tabs.Tab value="log">Log</Tabs.Tab>
          <Tabs.Tab value="request">Request</Tabs.Tab>
          <Tabs.Tab value="shares">Sharing</Tabs.Tab>
        </Tabs.List>
        <div className={cx['panel']}>
          <Suspense fallback={<Loading what="Opening" />}>
            <Tabs.Panel value="overview">
              <Overview job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="files">
              <Files job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="log">
              <Log job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="request">
              <Request job={job} />
            </Tabs.Panel>
            <Tabs.Panel value="shares">
              <Shares job={job} />
            </Tabs.Panel>
          </Suspense>
        </div>
      </Tabs>
    </Page>
  )
}
