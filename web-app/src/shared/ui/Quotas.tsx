import type { Me } from '@/shared/api/me'
import { bytes, count } from '@/shared/lib/format'
import { Meter } from './Meter'
import cx from './quotas.module.css'

/** What a person has of what the person may have. */
export function Quotas({ usage, limits }: Pick<Me, 'usage' | 'limits'>) {
  return (
    <div className={cx['quotas']}>
      <Quota name="Stored" used={usage.storedBytes} limit={limits.storedBytes} format={bytes} />
      <Quota name="Running" used={usage.running} limit={limits.running} format={count} />
      <Quota name="Queued" used={usage.queued} limit={limits.queued} format={count} />
      {limits.positions != null && (
        <p className={cx['line']}>At most {count(limits.positions)} positions in a cutout job.</p>
      )}
    </div>
  )
}

type QuotaProps = {
  name: string
  used: number
  limit: number | null | undefined
  format: (value: number) => string
}

function Quota({ name, used, limit, format }: QuotaProps) {
  return (
    <div>
      <div className={cx['line']}>
        <span>{name}</span>
        <span>
          <strong>{format(used)}</strong>
          {limit == null ? ', no limit' : ` of ${format(limit)}`}
        </span>
      </div>
      {limit != null && (
        <Meter label={name} done={used} total={limit} tone={used >= limit * 0.9 ? 'bad' : 'accent'} />
      )}
    </div>
  )
}
