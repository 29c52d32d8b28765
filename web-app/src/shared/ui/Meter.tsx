import cx from './meter.module.css'

type MeterProps = {
  label: string
  done: number
  total: number | null | undefined
  tone?: 'accent' | 'good' | 'warn' | 'bad'
}

/** How much of something is done. Plain elements: a list has many of them. */
export function Meter({ label, done, total, tone = 'accent' }: MeterProps) {
  const share = total == null || total === 0 ? 0 : Math.min(1, done / total)
  return (
    <svg
      className={cx['meter']}
      data-tone={tone}
      viewBox="0 0 100 6"
      preserveAspectRatio="none"
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={total ?? undefined}
      aria-valuenow={total == null ? undefined : done}
    >
      <rect className={cx['rail']} width={100} height={6} />
      <rect className={cx['bar']} width={share * 100} height={6} />
    </svg>
  )
}
