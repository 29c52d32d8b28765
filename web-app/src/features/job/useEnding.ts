import { useEffect, useRef } from 'react'
import type { Job } from '@/shared/api/jobs'
import { hasEnded, standing } from '@/shared/api/phases'
import { noticed } from './NoticeButton'

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
