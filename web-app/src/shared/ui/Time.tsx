import { useEffect, useState } from 'react'
import { ago, duration, moment } from '@/shared/lib/format'
import { timeZone } from '@/shared/lib/preferences'
import { createStore, useStore } from '@/shared/lib/store'

/** One clock for all times of the page. */
const clock = createStore(Date.now())
let readers = 0
let timer: ReturnType<typeof setInterval> | undefined

/** Now, by the second. */
export function useNow(): number {
  useEffect(() => {
    readers += 1
    timer ??= setInterval(() => clock.set(Date.now()), 1_000)
    return () => {
      readers -= 1
      if (readers === 0) {
        clearInterval(timer)
        timer = undefined
      }
    }
  }, [])
  return useStore(clock)
}

const NOT_GIVEN = 'not given'

/** A time as the server told it, exact, in the zone that was chosen; the other zone on hover. */
export function Moment({ at }: { at: string | null | undefined }) {
  const zone = useStore(timeZone)
  if (at == null) return <span>{NOT_GIVEN}</span>
  const time = Date.parse(at)
  return (
    <time dateTime={at} title={moment(time, zone === 'utc' ? 'local' : 'utc')}>
      {moment(time, zone)}
    </time>
  )
}

/** How long ago, or how long until. */
export function Ago({ at }: { at: string | null | undefined }) {
  const zone = useStore(timeZone)
  const now = useNow()
  if (at == null) return <span>{NOT_GIVEN}</span>
  const time = Date.parse(at)
  return (
    <time dateTime={at} title={moment(time, zone)}>
      {ago(time, now)}
    </time>
  )
}

/** From one time to another, or until now. */
export function Span({ from, to }: { from: string | null | undefined; to: string | null | undefined }) {
  if (from == null) return <span aria-label={NOT_GIVEN}>–</span>
  if (to != null) return <span>{duration(Date.parse(to) - Date.parse(from))}</span>
  return <Running from={Date.parse(from)} />
}

function Running({ from }: { from: number }) {
  const now = useNow()
  // Milliseconds of a clock that ticks by seconds would be noise.
  const [start] = useState(from)
  return <span>{duration(Math.max(1_000, now - start))}</span>
}
