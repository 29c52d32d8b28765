import type { Manifest } from '@/shared/api/results'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { outcomeOf } from './words'
import cx from './share.module.css'

/** How much of what was asked for is there, and why the rest is not. */
export function Outcome({ manifest }: { manifest: Manifest }) {
  const { made, failed, why } = outcomeOf(manifest)
  return (
    <Card title="What came of it">
      <p className={cx['outcome']}>
        {manifest.counts.ok > 0 ? (
          <span className={cx['made']}>
            <Icon name="check" size={18} />
            {made}
          </span>
        ) : (
          <span>No cutout</span>
        )}
        {failed !== undefined && (
          <span className={cx['failedRows']}>
            <Icon name="close" size={18} />
            {failed}
          </span>
        )}
      </p>
      {why.length > 0 && (
        <ul className={cx['why']}>
          {why.map((words) => (
            <li key={words}>{words}</li>
          ))}
        </ul>
      )}
    </Card>
  )
}
