/** Numbers, sizes and times as people read them. */

const number = new Intl.NumberFormat('en-GB')
const relative = new Intl.RelativeTimeFormat('en-GB', { numeric: 'auto' })

export const count = (value: number) => number.format(value)

/** `1 job`, `2 jobs`. */
export const plural = (value: number, one: string, many = `${one}s`) =>
  `${count(value)} ${value === 1 ? one : many}`

/** Binary units, three figures. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let unit = 0
  let rest = value
  while (rest >= 1023.5 && unit < units.length - 1) {
    rest /= 1024
    unit += 1
  }
  const digits = unit === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2
  return `${rest.toFixed(digits)} ${units[unit] ?? ''}`
}

/** A span in its two largest units. Clocks differ: below zero is zero. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.floor(seconds)} s`
  const whole = Math.floor(seconds)
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

const steps: [number, Intl.RelativeTimeFormatUnit][] = [
  [60, 'second'],
  [60, 'minute'],
  [24, 'hour'],
  [30.44, 'day'],
  [12, 'month'],
  [Infinity, 'year'],
]

/** `3 minutes ago`, `in 30 days`. */
export function ago(time: number, now: number): string {
  let value = (time - now) / 1000
  for (const [size, unit] of steps) {
    if (Math.abs(value) < size) return relative.format(Math.round(value), unit)
    value /= size
  }
  return ''
}

/** `2026-11-21 14:17:22 UTC`, or the browser's zone, named. */
export function moment(time: number, zone: 'utc' | 'local'): string {
  if (zone === 'utc') return new Date(time).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')
  return new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' })
    .format(time)
    .concat(' ', zoneName(time))
}

function zoneName(time: number): string {
  const parts = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' }).formatToParts(time)
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? ''
}

/** Control characters, and those that turn the direction of what follows: they can make a name look like another. */
const UNSEEN = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** A text of somebody's own with such characters shown by their numbers. */
export const plain = (text: string) =>
  text.replace(
    UNSEEN,
    (letter) => `⟨U+${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  )
