import { Button } from '@mantine/core'
import { useState, type KeyboardEvent } from 'react'
import type { ResultUrls } from '@/shared/api/results'
import { count } from '@/shared/lib/format'
import { ofWhat, type Entry } from './manifest'
import cx from './job.module.css'

/** Pictures come in lots: each costs the server a drawing. */
const LOT = 24
const SIDE = { s: 120, m: 240, l: 480 }

/** How pictures are drawn: a stretch of the server's, the same values for all, and how large they are shown. */
export type Drawing = {
  stretch?: string | undefined
  range?: string | undefined
  size?: 's' | 'l' | undefined
}

type ThumbnailsProps = {
  urls: ResultUrls
  entries: readonly Entry[]
  chosen: number | undefined
  look: Drawing
  onChoose: (key: number) => void
}

export function Thumbnails({ urls, entries, chosen, look, onChoose }: ThumbnailsProps) {
  const [shown, setShown] = useState(LOT)
  const drawn = entries.filter(({ status, data }) => status === 'ok' && data.file !== null)
  if (drawn.length === 0) return <p className={cx['dim']}>None of these rows has a picture.</p>
  const size = look.size ?? 'm'
  return (
    <>
      {/* Its buttons are reached by Tab too. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <ul className={cx['thumbnails']} data-size={size} onKeyDown={moveFocus}>
        {drawn.slice(0, shown).map(({ key, data }) => (
          <li key={key}>
            <button
              type="button"
              className={cx['thumbnail']}
              aria-pressed={key === chosen}
              onClick={() => onChoose(key)}
            >
              <img
                src={urls.picture(data.file ?? '', SIDE[size], look.stretch, look.range)}
                width={120}
                height={120}
                loading="lazy"
                decoding="async"
                alt=""
              />
              <span className={cx['under']}>{data.id}</span>
              {ofWhat(data) !== '' && <span className={cx['dim']}>{ofWhat(data)}</span>}
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

/** Arrows go from picture to picture as they lie, and choose the one they come to. */
function moveFocus(event: KeyboardEvent<HTMLUListElement>) {
  const buttons = [...event.currentTarget.querySelectorAll('button')]
  const at = buttons.findIndex((button) => button === document.activeElement)
  if (at < 0) return
  const top = buttons[0]?.getBoundingClientRect().top
  const line = buttons.findIndex((button) => button.getBoundingClientRect().top !== top)
  const step = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: line < 0 ? 0 : line,
    ArrowUp: line < 0 ? 0 : -line,
  }[event.key]
  const next = step === undefined ? undefined : buttons[at + step]
  if (next === undefined) return
  event.preventDefault()
  event.stopPropagation()
  next.focus()
  next.click()
}
