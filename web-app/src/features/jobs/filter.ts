import type { JobFilter } from '@/shared/api/jobs'

export const isFiltered = (filter: JobFilter) =>
  Object.values(filter as Record<string, unknown>).some((value) => value !== undefined)

/** A search box's text in its parts: `phase:error service:echo after:2026-11-01 m13` is words and a rest. */
export type Typed = { words: [string, string][]; rest: string }

const WORD = /(?:^|\s)(phase|service|after|before|owner):(\S+)/gi

export function typed(text: string): Typed {
  const words: [string, string][] = []
  const rest = text.replace(WORD, (_, name: string, value: string) => {
    words.push([name.toLowerCase(), value])
    return ' '
  })
  return { words, rest: rest.replace(/\s+/g, ' ').trim() }
}

/** A list with a value in it if it was not, without it if it was; nothing instead of an empty list. */
export function toggled<T>(list: readonly T[] | undefined, value: T): T[] | undefined {
  const next = list?.includes(value) ? list.filter((one) => one !== value) : [...(list ?? []), value]
  return next.length === 0 ? undefined : next
}
