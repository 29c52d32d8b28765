import type { Job } from '@/shared/api/jobs'
import cx from './job.module.css'

/** Tells a screen reader of phases and of every tenth of the work: not of each step. */
export function Announcer({ text, job: { jobInfo } }: { text: string; job: Pick<Job, 'jobInfo'> }) {
  const { progressDone, progressTotal } = jobInfo
  const tenths =
    progressDone == null || progressTotal == null || progressTotal === 0
      ? undefined
      : Math.floor((progressDone / progressTotal) * 10) * 10
  return (
    <div className={cx['announcer']} role="status" aria-live="polite">
      {text}
      {tenths === undefined ? '' : `, ${tenths} %`}
    </div>
  )
}
