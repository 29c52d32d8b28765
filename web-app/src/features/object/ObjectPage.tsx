import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { jobName, jobQuery, type Job } from '@/shared/api/jobs'
import { ApiError } from '@/shared/api/problem'
import { hasManifest, manifestQuery, type Manifest } from '@/shared/api/results'
import { formatDec, formatRa } from '@/shared/astro/coords'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { Page } from '@/shared/ui/Page'
import { ErrorPanel, Loaded, Loading, Notice } from '@/shared/ui/States'
import { Blink } from './Blink'
import { CutoutGrid } from './CutoutGrid'
import { cutoutsOf, neighbours, type Cutout } from './grid'
import { LightCurve } from './LightCurve'
import { ColourPicture } from './Picture'
import cx from './object.module.css'

const route = getRouteApi('/jobs/$jobId/objects/$row')

/** One position of a job: its cutouts by band and epoch, blinked, and its light curve. */
export function ObjectPage() {
  const { jobId, row } = route.useParams()
  const job = useQuery(jobQuery(jobId))
  if (job.data === undefined) {
    if (job.error === null) return <Loading what="Reading the job" />
    const final = job.error instanceof ApiError && [403, 404, 410].includes(job.error.status)
    return (
      <Page title="Position">
        <ErrorPanel
          error={job.error}
          {...(final ? {} : { retry: () => void job.refetch() })}
          actions={<Link to="/jobs">To your jobs</Link>}
        />
      </Page>
    )
  }
  if (!hasManifest(job.data)) {
    return (
      <Page title="Position">
        <Notice icon="inbox" title="This job has no positions yet" actions={<ToJob job={job.data} />}>
          <p>They are there when a job of cutouts has ended.</p>
        </Notice>
      </Page>
    )
  }
  return <OfJob job={job.data} row={Number(row)} />
}

function ToJob({ job }: { job: Job }) {
  return (
    <Button
      variant="default"
      renderRoot={(props) => <Link to="/jobs/$jobId" params={{ jobId: job.jobId }} {...props} />}
    >
      To the job
    </Button>
  )
}

function OfJob({ job, row }: { job: Job; row: number }) {
  const query = useQuery(manifestQuery(job))
  return (
    <Loaded query={query} what="Reading the manifest">
      {(manifest) => <Position key={row} job={job} row={row} manifest={manifest} />}
    </Loaded>
  )
}

function Position({ job, row, manifest }: { job: Job; row: number; manifest: Manifest }) {
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId/objects/$row' })
  const cutouts = useMemo(() => cutoutsOf(manifest, row), [manifest, row])
  const { before, after } = useMemo(() => neighbours(manifest, row), [manifest, row])
  const go = (to: number | undefined) => {
    if (to !== undefined)
      void navigate({
        params: { jobId: job.jobId, row: String(to) },
        search: (old) => ({ ...old, at: undefined }),
      })
  }
  useHotkeys({ j: () => go(after), k: () => go(before) })

  const [first] = cutouts
  if (first === undefined) {
    return (
      <Page title="Position">
        <Notice icon="search" title="The list has no such row" actions={<ToJob job={job} />}>
          <p>The manifest of this job names no row {Number.isInteger(row) ? row : ''} of its list.</p>
        </Notice>
      </Page>
    )
  }
  const there = cutouts.filter(({ data }) => data.status === 'ok')
  const current = cutouts.find(({ at }) => at === search.at) ?? there[0] ?? first
  const choose = ({ at }: Cutout) =>
    void navigate({ search: (old) => ({ ...old, at }), replace: true, resetScroll: false })
  const { id, ra, dec } = first.data
  const curve = cutouts.find(({ data }) => data.lightcurve != null)?.data.lightcurve
  return (
    <Page
      title={id}
      wide
      lead={
        <span className={cx['lead']}>
          {ra !== null && dec !== null && (
            <span>
              {formatRa(ra)} {formatDec(dec)}
            </span>
          )}
          <span>
            {there.length} of {plural(cutouts.length, 'cutout')}
          </span>
          <span>
            row {row} of{' '}
            <Link to="/jobs/$jobId" params={{ jobId: job.jobId }}>
              {jobName(job)}
            </Link>
          </span>
        </span>
      }
      actions={
        <Button.Group>
          <Neighbour job={job} row={before} label="Position before" turned />
          <Neighbour job={job} row={after} label="Next position" />
        </Button.Group>
      }
    >
      <CutoutGrid job={job} cutouts={cutouts} current={current} onChoose={choose} />
      <ColourPicture job={job} id={id} />
      <Blink job={job} cutouts={cutouts} current={current} onChoose={choose} />
      {curve != null && <LightCurve job={job} file={curve} />}
    </Page>
  )
}

type NeighbourProps = { job: Job; row: number | undefined; label: string; turned?: boolean }

function Neighbour({ job, row, label, turned = false }: NeighbourProps) {
  const icon = (
    <span className={cx['chevron']} data-turned={turned || undefined}>
      <Icon name="chevron" size={16} />
    </span>
  )
  if (row === undefined) {
    return (
      <Button variant="default" aria-label={label} disabled>
        {icon}
      </Button>
    )
  }
  return (
    <Button
      variant="default"
      aria-label={label}
      renderRoot={(props) => (
        <Link
          to="/jobs/$jobId/objects/$row"
          params={{ jobId: job.jobId, row: String(row) }}
          search={(old) => ({ ...old, at: undefined })}
          {...props}
        />
      )}
    >
      {icon}
    </Button>
  )
}
