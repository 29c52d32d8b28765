import { Button } from '@mantine/core'
import { useState, type KeyboardEvent } from 'react'
import type { Job } from '@/shared/api/jobs'
import { shownUrl } from '@/shared/api/results'
import { count } from '@/shared/lib/format'
import { orders, rangeOf, stretches, type Look } from './look'
import { ofWhat, type Entry } from './manifest'
import cx from './job.module.css'

/** Pictures come in lots: each costs the server a drawing. */
const LOT = 24
const SIDE = { s: 120, m: 240, l: 480 }

type ThumbnailsProps = {
  job: Job
  entries: readonly Entry[]
  chosen: number | undefined
  look: Look
  onChoose: (key: number) => void
}

export function Thumbnails({ job, entries, chosen, look, onChoose }: ThumbnailsProps) {
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
                src={shownUrl(job, data.file ?? '', SIDE[size], look.stretch, look.range)}
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

type LookBarProps = {
  look: Look
  /** They are pictures as they are, and not drawn. */
  made: boolean
  onLook: (look: Partial<Look>) => void
}

/** How pictures are drawn: by themselves, or all alike so that they can be compared. */
export function LookBar({ look, made, onLook }: LookBarProps) {
  const [range, setRange] = useState(look.range ?? '')
  const isBad = range.trim() !== '' && rangeOf(range) === undefined
  return (
    <div className={cx['look']}>
      {!made && (
        <>
          <label className={cx['inline']}>
            Stretch
            <select
              value={look.stretch ?? ''}
              onChange={({ currentTarget: { value } }) =>
                onLook({ stretch: value === '' ? undefined : value })
              }
            >
              <option value="">as each asks</option>
              {stretches.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <form
            className={cx['inline']}
            onSubmit={(event) => {
              event.preventDefault()
              if (!isBad) onLook({ range: rangeOf(range) })
            }}
          >
            <label className={cx['inline']}>
              Same range for all
              <input
                className={cx['range']}
                placeholder="each its own"
                title="Least and greatest value, such as -5,20, in the unit of the images"
                aria-invalid={isBad}
                value={range}
                onChange={({ currentTarget }) => setRange(currentTarget.value)}
                onBlur={() => {
                  if (!isBad) onLook({ range: rangeOf(range) })
                }}
              />
            </label>
          </form>
        </>
      )}
      <label className={cx['inline']}>
        Order
        <select
          value={look.order ?? ''}
          onChange={({ currentTarget: { value } }) => onLook({ order: orders.find((one) => one === value) })}
        >
          <option value="">of the list</option>
          <option value="name">name</option>
          <option value="band">band</option>
          <option value="ra">RA</option>
          <option value="dec">Dec</option>
        </select>
      </label>
      <label className={cx['inline']}>
        Size
        <select
          value={look.size ?? 'm'}
          onChange={({ currentTarget: { value } }) =>
            onLook({ size: value === 's' || value === 'l' ? value : undefined })
          }
        >
          <option value="s">small</option>
          <option value="m">middle</option>
          <option value="l">large</option>
        </select>
      </label>
    </div>
  )
}
