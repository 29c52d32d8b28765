import { plural } from '@/shared/lib/format'
import type { Dashboard } from './api'
import type { Build, Edition, GitRef, Group } from './documents'

/** Whether all words stand in some of the texts, in any case. */
export function matches(words: string, texts: readonly (string | null | undefined)[]): boolean {
  const hay = texts.join('\n').toLowerCase()
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word))
}

const names = (refs: readonly GitRef[]) => refs.map(({ name }) => name)

export const findProducts = (products: readonly Dashboard[], words: string) =>
  products.filter(({ title, product, keeper }) => matches(words, [title, product, keeper]))

const editionTexts = ({ slug, title, refs, author, ticket, build }: Edition) => [
  slug,
  title,
  ...names(refs),
  author,
  ticket,
  build,
]

/** The groups with the editions that match, without those that then have none. */
export function findEditions(groups: readonly Group[], words: string): readonly Group[] {
  if (words.trim() === '') return groups
  return groups
    .map((group) => ({
      ...group,
      editions: group.editions.filter((edition) => matches(words, editionTexts(edition))),
    }))
    .filter(({ editions }) => editions.length > 0)
}

export const findBuilds = (builds: readonly Build[], words: string): readonly Build[] =>
  words.trim() === ''
    ? builds
    : builds.filter(({ slug, refs, author, ticket, editions }) =>
        matches(words, [slug, ...names(refs), author, ticket, ...editions]),
      )

const DAY = 86_400_000

/** A word on a dashboard that the server has not compared with LTD Keeper for a day: it does so every hour. */
export function unchecked(checked: string | null | undefined, now: number): string | undefined {
  if (checked == null) return 'never checked'
  const days = Math.floor((now - Date.parse(checked)) / DAY)
  return days < 1 ? undefined : `not checked for ${plural(days, 'day')}`
}
