import { Link } from '@tanstack/react-router'
import { jobName, type JobSummary } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { count } from '@/shared/lib/format'
import { Meter } from '@/shared/ui/Meter'
import { PhaseChip } from '@/shared/ui/PhaseChip'
import { Ago } from '@/shared/ui/Time'
import cx from './home.module.css'

export function JobLine({ job }: { job: JobSummary }) {
  const { id, service, phase, progressDone, progressTotal, progressFailed, creationTime, endTime, error } =
    job
  return (
    <li className={cx['line']}>
      <Link to="/jobs/$jobId" params={{ jobId: id }} className={cx['job']}>
        {jobName(job)}
      </Link>
      <PhaseChip phase={phase} failed={progressFailed} />
      <span className={cx['state']}>
        {hasEnded(phase) || progressDone == null ? (
          (error ?? (progressDone == null ? service : `${service}, ${count(progressDone)} done`))
        ) : (
          <Meter label="Progress" done={progressDone} total={progressTotal} />
        )}
      </span>
      <span className={cx['when']}>
        <Ago at={endTime ?? creationTime} />
      </span>
    </li>
  )
}
