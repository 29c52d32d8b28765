import type { JobFilter } from '@/shared/api/jobs'
import { phaseNames, phases } from '@/shared/api/phases'

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

/** What these words narrow a filter to; a phase that is none is left out. */
export function narrowed(filter: JobFilter, words: Typed['words']): Partial<JobFilter> {
  const part: Partial<JobFilter> = {}
  for (const [name, value] of words) {
    if (name === 'phase') {
      const found = phaseNames.find(
        (one) => one === value.toUpperCase() || phases[one].word.toLowerCase() === value.toLowerCase(),
      )
      if (found) part.phase = [...new Set([...(part.phase ?? filter.phase ?? []), found])]
    } else if (name === 'service')
      part.service = [...new Set([...(part.service ?? filter.service ?? []), value])]
    else if (name === 'after' || name === 'before' || name === 'owner') part[name] = value
  }
  return part
}

/** A filter whose search, as people put it into an address, may have the words that the box takes. */
export function unfolded(filter: JobFilter): JobFilter {
  if (filter.q === undefined) return filter
  const { words, rest } = typed(filter.q)
  if (words.length === 0) return filter
  const others = { ...filter, ...narrowed(filter, words) }
  if (rest === '') delete others.q
  else others.q = rest
  return others
}

/** Whether no job can be made between the two times, since they stand the wrong way round. */
export const isReversed = ({ after, before }: JobFilter) =>
  after !== undefined && before !== undefined && Date.parse(after) > Date.parse(before)

/** A list with a value in it if it was not, without it if it was; nothing instead of an empty list. */
export function toggled<T>(list: readonly T[] | undefined, value: T): T[] | undefined {
  const next = list?.includes(value) ? list.filter((one) => one !== value) : [...(list ?? []), value]
  return next.length === 0 ? undefined : next
}
