import { Button } from '@mantine/core'
import { useQueries, useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useMemo } from 'react'
import { jobName, jobQuery, type Job } from '@/shared/api/jobs'
import { hasManifest, manifestQuery, parameterTextQuery, type Manifest } from '@/shared/api/results'
import { count, duration, plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { Card, Page } from '@/shared/ui/Page'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { ErrorPanel, Loading, Notice } from '@/shared/ui/States'
import { Moment } from '@/shared/ui/Time'
import { parameterLines, type Both } from './differences'
import { Objects } from './Objects'
import cx from './compare.module.css'

const route = getRouteApi('/jobs/compare')

/** Two jobs beside each other: what was asked for, and what became of it. */
export function ComparePage() {
  const { a, b } = route.useSearch()
  if (a === undefined || b === undefined) {
    return (
      <Page title="Compare two jobs">
        <Notice
          icon="compare"
          title="Choose two jobs"
          actions={<Button renderRoot={(props) => <Link to="/jobs" {...props} />}>To your jobs</Button>}
        >
          <p>Select two in the list of jobs, then “Compare”.</p>
        </Notice>
      </Page>
    )
  }
  return <Compared a={a} b={b} />
}

function Compared({ a, b }: Both<string>) {
  const one = useQuery(jobQuery(a))
  const other = useQuery(jobQuery(b))
  const failed = [one, other].find(({ data, error }) => data === undefined && error !== null)
  if (failed !== undefined) {
    return (
      <Page title="Compare two jobs">
        <ErrorPanel error={failed.error} actions={<Link to="/jobs">To your jobs</Link>} />
      </Page>
    )
  }
  if (one.data === undefined || other.data === undefined) return <Loading what="Reading the jobs" />
  return <Jobs a={one.data} b={other.data} />
}

const took = ({ startTime, endTime }: Job) =>
  startTime == null || endTime == null ? 'not given' : duration(Date.parse(endTime) - Date.parse(startTime))

function Jobs({ a, b }: Both<Job>) {
  const { a: first, b: second } = route.useSearch()
  return (
    <Page
      title="Compare two jobs"
      wide
      actions={
        <Button
          variant="default"
          leftSection={<Icon name="refresh" />}
          renderRoot={(props) => <Link to="/jobs/compare" search={{ a: second, b: first }} {...props} />}
        >
          Swap
        </Button>
      }
    >
      <Card title="Jobs" flush>
        <div className={cx['scroll']}>
          <table className={cx['table']}>
            <thead>
              <tr>
                <td />
                {[a, b].map((job, index) => (
                  <th key={index} scope="col">
                    {index === 0 ? 'A: ' : 'B: '}
                    <Link to="/jobs/$jobId" params={{ jobId: job.jobId }}>
                      {jobName(job)}
                    </Link>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              <Pair
                name="Phase"
                a={<PhaseChip phase={a.phase} failed={a.jobInfo.progressFailed} />}
                b={<PhaseChip phase={b.phase} failed={b.jobInfo.progressFailed} />}
              />
              <Pair name="Service" a={a.service} b={b.service} />
              <Pair name="Made" a={<Moment at={a.creationTime} />} b={<Moment at={b.creationTime} />} />
              <Pair name="Took" a={took(a)} b={took(b)} />
            </tbody>
          </table>
        </div>
      </Card>
      <Parameters a={a} b={b} />
      <Results a={a} b={b} />
    </Page>
  )
}

function Pair({ name, a, b }: { name: string } & Both<React.ReactNode>) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>{a}</td>
      <td>{b}</td>
    </tr>
  )
}

/** The texts of the parameters that are told by their address, such as lists. */
function useTexts(job: Job): ReadonlyMap<string, string> {
  const told = job.parameters.filter(({ byReference }) => byReference)
  const texts = useQueries({ queries: told.map((parameter) => parameterTextQuery(job, parameter)) })
  return new Map(
    told.flatMap(({ id }, index) => (texts[index]?.data === undefined ? [] : [[id, texts[index].data]])),
  )
}

const EXCERPT = 400

function Parameters({ a, b }: Both<Job>) {
  const texts = { a: useTexts(a), b: useTexts(b) }
  const lines = parameterLines({ a, b }, texts)
  const differ = lines.filter(({ same }) => same === false).length
  const unknown = lines.filter(({ same }) => same === undefined).length
  return (
    <Card
      title="Parameters"
      flush
      aside={
        <span className={cx['dim']} role="status">
          {differ === 0 && unknown === 0 ? 'all the same' : plural(differ, 'difference')}
          {unknown > 0 && `, ${count(unknown)} not read yet`}
        </span>
      }
    >
      <div className={cx['scroll']}>
        <table className={cx['table']}>
          <thead>
            <tr>
              <th scope="col">Parameter</th>
              <th scope="col">A</th>
              <th scope="col">B</th>
            </tr>
          </thead>
          <tbody>
            {lines.map(({ name, same, ...values }) => (
              <tr key={name} data-differs={same === false || undefined}>
                <th scope="row">
                  {name}{' '}
                  <span className={cx['mark']}>
                    {same === undefined ? 'not read yet' : same ? 'same' : '≠ differs'}
                  </span>
                </th>
                {[values.a, values.b].map((value, index) => (
                  <td key={index}>
                    {value === undefined ? (
                      <span className={cx['dim']}>not given</span>
                    ) : (
                      <Value text={value} />
                    )}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

const Value = ({ text }: { text: string }) => (
  <code className={cx['value']}>{text.length > EXCERPT ? `${text.slice(0, EXCERPT)}…` : text}</code>
)

function Results({ a, b }: Both<Job>) {
  const one = useQuery({ ...manifestQuery(a), enabled: hasManifest(a) })
  const other = useQuery({ ...manifestQuery(b), enabled: hasManifest(b) })
  const manifests = useMemo<Both<Manifest> | undefined>(
    () => (one.data === undefined || other.data === undefined ? undefined : { a: one.data, b: other.data }),
    [one.data, other.data],
  )
  if (!hasManifest(a) || !hasManifest(b)) {
    return (
      <Card title="Cutouts">
        <p className={cx['dim']}>
          {hasManifest(a) || hasManifest(b) ? 'One of the jobs has' : 'The jobs have'} no manifest of cutouts
          to compare.
        </p>
      </Card>
    )
  }
  const error = one.error ?? other.error
  if (manifests === undefined)
    return error === null ? <Loading what="Reading the manifests" /> : <ErrorPanel error={error} />
  return <Objects jobs={{ a, b }} manifests={manifests} />
}
