import { useEffect, useRef } from 'react'
import type { Job } from '@/shared/api/jobs'
import { hasEnded, standing, type Phase } from '@/shared/api/phases'
import { noticed } from './NoticeButton'

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

/** Has the browser tell when the job ends, if that was asked for. */
export function useEnding(name: string, { jobId, phase, jobInfo: { progressFailed } }: Job) {
  const before = useRef(phase)
  useEffect(() => {
    const was = before.current
    before.current = phase
    if (hasEnded(was) || !hasEnded(phase) || !noticed.get().has(jobId)) return
    const rest = new Set(noticed.get())
    rest.delete(jobId)
    noticed.set(rest)
    const { meaning, part } = standing(phase, progressFailed)
    const body = part === undefined ? meaning : `${meaning}: ${part}`
    const notice = new Notification(name, { body, tag: jobId })
    notice.addEventListener('click', () => window.focus())
  }, [name, jobId, phase, progressFailed])
}
