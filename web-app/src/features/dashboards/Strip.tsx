import { useMemo } from 'react'
import { plural } from '@/shared/lib/format'
import { Moment } from '@/shared/ui/Time'
import type { Group } from './documents'
import { marksOf } from './marks'
import cx from './dashboards.module.css'

const WIDTH = 1_000

/** When the editions were rebuilt, on one line of time. The tables below say the same in words. */
export function Strip({ groups }: { groups: readonly Group[] }) {
  const marks = useMemo(() => marksOf(groups), [groups])
  const [first, last] = [marks[0]?.at, marks.at(-1)?.at]
  // Of few there is nothing to see that the tables do not say better.
  if (first === undefined || last === undefined || marks.length < 8 || first === last) return null
  const x = (at: number) => 2 + ((at - first) / (last - first)) * (WIDTH - 4)
  const drafts = marks.filter(({ isDraft }) => isDraft).length
  return (
    <figure className={cx['strip']}>
      <svg
        viewBox={`0 0 ${WIDTH} 44`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`When ${plural(marks.length, 'edition')} were rebuilt; the tables below say it too`}
      >
        {marks.map(({ slug, at, isDraft }) => (
          <path
            key={slug}
            data-draft={isDraft || undefined}
            d={`M${x(at).toFixed(1)} ${isDraft ? '24V42' : '2V20'}`}
          />
        ))}
      </svg>
      <figcaption>
        <Moment at={new Date(first).toISOString()} />
        <span>
          Rebuilt: above {plural(marks.length - drafts, 'release')} with the current one, below{' '}
          {plural(drafts, 'other')}
        </span>
        <Moment at={new Date(last).toISOString()} />
      </figcaption>
    </figure>
  )
}
