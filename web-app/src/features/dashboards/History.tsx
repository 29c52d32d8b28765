import { Link } from '@tanstack/react-router'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { Notice } from '@/shared/ui/States'
import { Ago, Span } from '@/shared/ui/Time'
import { isOver, phaseOf, type DashboardJob } from './api'
import cx from './dashboards.module.css'

const rowId = ({ jobId }: DashboardJob) => jobId

const columns: Column<DashboardJob>[] = [
  { id: 'phase', header: 'Phase', width: '116px', cell: (job) => <PhaseChip phase={phaseOf(job)} /> },
  {
    id: 'came',
    header: 'What came of it',
    width: 'minmax(180px, 2fr)',
    cell: (job) => <span className={cx['message']}>{outcome(job)}</span>,
  },
  {
    id: 'made',
    named: true,
    header: 'Made',
    width: '130px',
    cell: ({ creationTime }) => <Ago at={creationTime} />,
  },
  {
    id: 'took',
    named: true,
    header: 'Took',
    width: '84px',
    end: true,
    cell: ({ startTime, endTime }) => <Span from={startTime} to={endTime} />,
  },
  {
    id: 'job',
    header: 'Job',
    width: '130px',
    end: true,
    cell: ({ jobId, visible }) =>
      visible ? (
        <Link to="/jobs/$jobId" params={{ jobId }}>
          Job {jobId.slice(-8)}
        </Link>
      ) : (
        <span className={cx['sub']}>somebody else’s</span>
      ),
  },
]

function outcome(job: DashboardJob): string {
  const { unchanged, message } = job
  if (message != null && message !== '') return message
  if (phaseOf(job) === 'ERROR' && unchanged != null) return 'Did this product, and failed at another'
  if (unchanged === true) return 'Nothing had changed'
  if (unchanged === false) return 'New pages'
  return isOver(job) ? 'Not told' : ''
}

/** The newest jobs that were about a product, whoever asked for them. */
export function History({ jobs }: { jobs: readonly DashboardJob[] }) {
  if (jobs.length === 0) {
    return (
      <Notice icon="jobs" title="No job is known">
        <p>Jobs are forgotten after some time; what they have published stays.</p>
      </Notice>
    )
  }
  return (
    <div className={cx['table']}>
      <DataGrid
        label="Jobs of this dashboard, newest first"
        rows={jobs}
        columns={columns}
        rowId={rowId}
        total={jobs.length}
      />
    </div>
  )
}
