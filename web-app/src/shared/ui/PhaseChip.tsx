import { standing, type Phase } from '@/shared/api/phases'
import cx from './phase.module.css'

/** One shape for each phase on a field of 16 by 16, so that colour is never alone. */
type Glyph = { d: string; fill?: boolean }
const glyphs: Record<Phase, Glyph> = {
  PENDING: { d: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z' },
  QUEUED: { d: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM8 5v3.200L10.2 9.5' },
  EXECUTING: { d: 'M5 3v10l8-5Z', fill: true },
  COMPLETED: { d: 'M3 8.5 6.5 12 13 4.5' },
  ERROR: { d: 'M4 4l8 8M12 4l-8 8' },
  ABORTED: { d: 'M8 2.500a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM4.2 4.200l7.6 7.6' },
  HELD: { d: 'M5.5 3.500v9M10.5 3.500v9' },
  SUSPENDED: { d: 'M4 3.500v2M4 7v2M4 10.500v2M8 3.500v9M12 3.500v2M12 7v2M12 10.500v2' },
  ARCHIVED: { d: 'M2.5 3.500h11v3h-11ZM3.5 6.500v6.500h9V6.500M6.5 9h3' },
  UNKNOWN: { d: 'M5.5 6a2.5 2.5 0 1 1 3.6 2.200C8.3 8.6 8 9 8 10M8 12.800v.1' },
}

/** Of a job that is completed but for a part. */
const partial: Glyph = { d: 'M8 2.500 1.800 13.500h12.400ZM8 6.500v3.200M8 11.700v.1' }

type PhaseProps = {
  phase: Phase
  /** How much of the job has failed. */
  failed?: number | null | undefined
}

export function PhaseGlyph({ phase, failed }: PhaseProps) {
  const isPartial = standing(phase, failed).part !== undefined
  const { d, fill = false } = isPartial ? partial : glyphs[phase]
  return (
    <svg
      className={cx['glyph']}
      data-phase={phase}
      data-failed={isPartial || undefined}
      width={16}
      height={16}
      viewBox="0 0 16 16"
      aria-hidden="true"
    >
      <path
        d={d}
        fill={fill ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth={1.8}
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}

export function PhaseChip({ phase, failed }: PhaseProps) {
  const { word, meaning, part } = standing(phase, failed)
  return (
    <span
      className={cx['chip']}
      data-phase={phase}
      data-failed={part !== undefined || undefined}
      title={meaning}
    >
      <PhaseGlyph phase={phase} failed={failed} />
      {part === undefined ? (
        word
      ) : (
        <span className={cx['words']}>
          {word}, <span className={cx['part']}>{part}</span>
        </span>
      )}
    </span>
  )
}
