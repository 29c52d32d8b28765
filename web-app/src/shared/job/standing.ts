import type { Job } from '@/shared/api/jobs'
import { standing, type Phase } from '@/shared/api/phases'

/** A sign of the phase for a place that has only text: the title of a tab. */
const signs: Partial<Record<Phase, string>> = {
  QUEUED: '◷',
  EXECUTING: '▶',
  COMPLETED: '✓',
  ERROR: '✗',
  ABORTED: '⊘',
  HELD: '‖',
}

/** The job as the title of a tab has it: how far it is, and that it has ended. */
export function tabTitle(name: string, { phase, jobInfo }: Pick<Job, 'phase' | 'jobInfo'>): string {
  const { progressDone: done, progressTotal: total, progressFailed: failed } = jobInfo
  const share =
    phase === 'EXECUTING' && done != null && total != null && total > 0
      ? `${Math.floor((done / total) * 100)} % `
      : ''
  const sign = standing(phase, failed).part === undefined ? signs[phase] : '⚠'
  return `${sign === undefined ? '' : `${sign} `}${share}${name}`
}

/** When the work will be done if it goes on as it has; nothing before enough of it is done to tell. */
export function expectedEnd(
  { startTime, jobInfo: { progressDone, progressTotal } }: Pick<Job, 'startTime' | 'jobInfo'>,
  now: number,
): number | undefined {
  if (startTime == null || progressDone == null || progressTotal == null) return undefined
  const elapsed = now - Date.parse(startTime)
  if (progressDone === 0 || progressDone >= progressTotal || elapsed < 2_000) return undefined
  return now + (elapsed * (progressTotal - progressDone)) / progressDone
}
