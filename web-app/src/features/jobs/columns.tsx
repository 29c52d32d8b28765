import { Link } from '@tanstack/react-router'
import { jobName, type JobSummary } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { count } from '@/shared/lib/format'
import type { Column } from '@/shared/ui/DataGrid'
import { Meter } from '@/shared/ui/Meter'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { Ago, Span } from '@/shared/ui/Time'
import type { Selection } from './useSelection'
import cx from './jobs.module.css'

type Choice = Pick<Selection, 'chosen' | 'toggle' | 'extend' | 'toggleAll'> & {
  all: boolean
  everyone: boolean
}

export function jobColumns({
  chosen,
  toggle,
  extend,
  toggleAll,
  all,
  everyone,
}: Choice): Column<JobSummary>[] {
  const columns: Column<JobSummary>[] = [
    {
      id: 'choice',
      header: 'Choice',
      head: (
        <input
          type="checkbox"
          aria-label="All that are shown"
          checked={all}
          onChange={toggleAll}
          className={cx['box']}
        />
      ),
      width: '24px',
      cell: ({ id, runId }) => (
        <input
          type="checkbox"
          className={cx['box']}
          aria-label={`Choose ${runId ?? id}`}
          checked={chosen.has(id)}
          onClick={(event) => {
            if (event.shiftKey) {
              event.preventDefault()
              extend(id)
            }
          }}
          onChange={() => toggle(id)}
        />
      ),
    },
    {
      id: 'phase',
      header: 'Phase',
      width: '132px',
      cell: ({ phase, progressFailed }) => <PhaseChip phase={phase} failed={progressFailed} />,
    },
    {
      id: 'label',
      header: 'Job',
      width: 'minmax(160px, 2fr)',
      cell: (job) => (
        <span className={cx['job']}>
          <Link to="/jobs/$jobId" params={{ jobId: job.id }} className={cx['name']}>
            {jobName(job)}
          </Link>
          <span className={cx['sub']}>{job.error ?? job.service}</span>
        </span>
      ),
    },
    {
      id: 'progress',
      header: 'Progress',
      width: 'minmax(120px, 1fr)',
      cell: (job) => <Progress job={job} />,
    },
    { id: 'created', header: 'Made', width: '130px', cell: ({ creationTime }) => <Ago at={creationTime} /> },
    {
      id: 'took',
      header: 'Took',
      width: '90px',
      end: true,
      cell: ({ startTime, endTime }) => <Span from={startTime} to={endTime} />,
    },
    {
      id: 'results',
      header: 'Results',
      width: '72px',
      end: true,
      wideOnly: true,
      cell: ({ results }) => (results === 0 ? '–' : count(results)),
    },
    {
      id: 'destroyed',
      header: 'Kept until',
      width: '110px',
      end: true,
      wideOnly: true,
      cell: ({ destruction }) => (destruction == null ? 'for good' : <Ago at={destruction} />),
    },
  ]
  if (everyone) {
    columns.splice(3, 0, {
      id: 'owner',
      header: 'Owner',
      width: 'minmax(80px, 140px)',
      cell: ({ ownerId }) => ownerId ?? 'not given',
    })
  }
  return columns
}

function Progress({ job }: { job: JobSummary }) {
  const { phase, progressDone, progressTotal, progressFailed, progressNote } = job
  if (progressDone == null)
    return <span className={cx['sub']}>{hasEnded(phase) ? '' : (progressNote ?? 'waits')}</span>
  const hasFailed = progressFailed != null && progressFailed > 0
  const tone = phase === 'ERROR' ? 'bad' : phase !== 'COMPLETED' ? 'accent' : hasFailed ? 'warn' : 'good'
  return (
    <span className={cx['progress']}>
      <Meter label="Progress" done={progressDone} total={progressTotal} tone={tone} />
      <span className={cx['sub']}>
        {count(progressDone)}
        {progressTotal == null ? '' : ` of ${count(progressTotal)}`}
        {/* Of one that is completed its phase tells. */}
        {hasFailed && phase !== 'COMPLETED' && `, ${count(progressFailed)} failed`}
      </span>
    </span>
  )
}
