import { count } from '@/shared/lib/format'
import type { Schema } from './client'

export type Phase = Schema['Phase']

/** The ten phases of UWS 1.1, as a word and what it means for who waits. */
export const phases: Record<Phase, { word: string; meaning: string }> = {
  PENDING: { word: 'Pending', meaning: 'Made, and not yet told to run' },
  QUEUED: { word: 'Queued', meaning: 'Waits for a place to run' },
  EXECUTING: { word: 'Running', meaning: 'Runs now' },
  COMPLETED: { word: 'Completed', meaning: 'Has ended; its results are there' },
  ERROR: { word: 'Failed', meaning: 'Has ended with an error' },
  ABORTED: { word: 'Aborted', meaning: 'Was ended by its owner or an operator' },
  HELD: { word: 'Held', meaning: 'Is kept back until it is run again' },
  SUSPENDED: { word: 'Suspended', meaning: 'Is stopped for now and goes on by itself' },
  ARCHIVED: { word: 'Archived', meaning: 'Its results are gone; its description is kept' },
  UNKNOWN: { word: 'Unknown', meaning: 'The server cannot tell' },
}

/** How a job stands. Completed alone is no word for one of which a part failed. */
export function standing(phase: Phase, failed: number | null | undefined) {
  const { word, meaning } = phases[phase]
  const isPartial = phase === 'COMPLETED' && failed != null && failed > 0
  return isPartial
    ? { word, meaning: 'Has ended; not all of it could be made', part: `${count(failed)} failed` }
    : { word, meaning, part: undefined }
}

/** The same in a line. */
export function standingLine(phase: Phase, failed: number | null | undefined): string {
  const { word, part } = standing(phase, failed)
  return part === undefined ? word : `${word}, ${part}`
}

export const phaseNames = Object.keys(phases) as Phase[]

const ended: ReadonlySet<Phase> = new Set<Phase>(['COMPLETED', 'ERROR', 'ABORTED', 'ARCHIVED'])

/** Whether nothing more happens to a job of this phase. */
export const hasEnded = (phase: Phase) => ended.has(phase)

export const canRun = (phase: Phase) => phase === 'PENDING' || phase === 'HELD'
export const canHold = (phase: Phase) => phase === 'QUEUED'
export const canAbort = (phase: Phase) => !hasEnded(phase)
