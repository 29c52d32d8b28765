import { useState } from 'react'
import { Button } from '@mantine/core'
import type { Job } from '@/shared/api/jobs'
import { previewUrl } from '@/shared/api/results'
import { count } from '@/shared/lib/format'
import type { Entry } from './manifest'
import cx from './job.module.css'

/** Pictures come in lots: each costs the server a drawing. */
const LOT = 24
const SIDE = 240

type ThumbnailsProps = {
  job: Job
  entries: readonly Entry[]
  chosen: number | undefined
  onChoose: (key: number) => void
}

export function Thumbnails({ job, entries, chosen, onChoose }: ThumbnailsProps) {
  const [shown, setShown] = useState(LOT)
  const drawn = entries.filter(({ data }) => data.status === 'ok' && data.file !== null)
  if (drawn.length === 0) return <p className={cx['dim']}>None of these rows has a picture.</p>
  return (
    <>
      <ul className={cx['thumbnails']}>
        {drawn.slice(0, shown).map(({ key, data }) => (
          <li key={key}>
            <button
              type="button"
              className={cx['thumbnail']}
              aria-pressed={key === chosen}
              onClick={() => onChoose(key)}
            >
              <img
                src={previewUrl(job, data.file ?? '', SIDE)}
                width={120}
                height={120}
                loading="lazy"
                decoding="async"
                alt=""
              />
              <span className={cx['under']}>{data.id}</span>
              {data.band !== null && <span className={cx['dim']}>{data.band}</span>}
            </button>
          </li>
        ))}
      </ul>
      {drawn.length > shown && (
        <Button variant="default" onClick={() => setShown(shown + LOT)}>
          {count(Math.min(LOT, drawn.length - shown))} more of {count(drawn.length)}
        </Button>
      )}
    </>
  )
}
