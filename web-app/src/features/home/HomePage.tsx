import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { fewJobsQuery, type JobSummary } from '@/shared/api/jobs'
import { meQuery } from '@/shared/api/me'
import type { Phase } from '@/shared/api/phases'
import { plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { Card, Page } from '@/shared/ui/Page'
import { Loaded } from '@/shared/ui/States'
import { Quotas } from '@/shared/ui/Quotas'
import { JobLine } from './JobLine'
import { Latest } from './Latest'
import cx from './home.module.css'

const open: Phase[] = ['PENDING', 'HELD', 'QUEUED', 'EXECUTING', 'SUSPENDED']
const done: Phase[] = ['COMPLETED', 'ERROR', 'ABORTED']

export function HomePage() {
  const me = useQuery(meQuery)
  const going = useQuery(fewJobsQuery({ phase: open }, 6))
  const ended = useQuery(fewJobsQuery({ phase: done }, 8))
  const isNew = going.data?.items.length === 0 && ended.data?.items.length === 0
  return (
    <Page
      title={me.data === undefined || me.data.by === 'local' ? 'Welcome' : `Welcome, ${me.data.name}`}
      actions={
        <Button renderRoot={(props) => <Link to="/cutout" {...props} />} leftSection={<Icon name="plus" />}>
          New cutouts
        </Button>
      }
    >
      {isNew && <FirstSteps />}
      <div className={cx['columns']}>
        <div className={cx['main']}>
          {!isNew && (
            <Card title="Going on" flush>
              <Loaded query={going} what="Reading the jobs">
                {({ items }) => <Lines jobs={items} none="Nothing is queued or running." />}
              </Loaded>
            </Card>
          )}
          {!isNew && (
            <Card title="Ended last" flush aside={<Link to="/jobs">All jobs</Link>}>
              <div className={ended.isPending ? cx['coming'] : undefined}>
                <Loaded query={ended} what="Reading the jobs">
                  {({ items }) => <Lines jobs={items} none="Nothing has ended yet." />}
                </Loaded>
              </div>
            </Card>
          )}
        </div>
        <div>
          <Card title="What you use">
            <Loaded query={me} what="Reading your quotas">
              {({ usage, limits }) => <Quotas usage={usage} limits={limits} />}
            </Loaded>
          </Card>
          <Card title="For scripts">
            <p className={cx['dim']}>All that this page does can be done by programs.</p>
            <ul className={cx['links']}>
              <li>
                <Link to="/help" hash="api">
                  Addresses of the services
                </Link>
              </li>
              <li>
                <Link to="/profile" hash="tokens">
                  Make a token
                </Link>
              </li>
              <li>
                <Link to="/help" hash="list">
                  How lists are written
                </Link>
              </li>
            </ul>
          </Card>
        </div>
      </div>
      <Latest jobs={ended.data?.items} />
    </Page>
  )
}

function Lines({ jobs, none }: { jobs: readonly JobSummary[]; none: string }) {
  if (jobs.length === 0) return <p className={cx['none']}>{none}</p>
  return (
    <ul className={cx['lines']} aria-label={plural(jobs.length, 'job')}>
      {jobs.map((job) => (
        <JobLine key={job.id} job={job} />
      ))}
    </ul>
  )
}

const steps = [
  ['Paste positions', 'From a catalogue, a paper, or a file: degrees or sexagesimal, with names or without.'],
  ['See what there is', 'How many images have them, how large it will be, and which rows need mending.'],
  ['Get the pieces', 'FITS with exact coordinates, pictures, and a manifest that says why for each row.'],
] as const

function FirstSteps() {
  return (
    <Card>
      <ol className={cx['steps']}>
        {steps.map(([title, text], index) => (
          <li key={title}>
            <span className={cx['step']} aria-hidden="true">
              {index + 1}
            </span>
            <h2>{title}</h2>
            <p>{text}</p>
          </li>
        ))}
      </ol>
      <div className={cx['begin']}>
        <Button renderRoot={(props) => <Link to="/cutout" {...props} />}>Begin</Button>
        <Button
          variant="default"
          renderRoot={(props) => <Link to="/cutout" search={{ sample: true }} {...props} />}
        >
          With an example list
        </Button>
      </div>
    </Card>
  )
}
