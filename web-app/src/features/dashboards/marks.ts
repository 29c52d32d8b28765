import type { Group } from './documents'

export type Mark = { slug: string; at: number; isDraft: boolean }

/** When editions were rebuilt, oldest first. */
export function marksOf(groups: readonly Group[]): Mark[] {
  const marks: Mark[] = []
  for (const { kind, editions } of groups) {
    for (const { slug, date_rebuilt: date } of editions) {
      if (date != null)
        marks.push({ slug, at: Date.parse(date), isDraft: kind !== 'main' && kind !== 'release' })
    }
  }
  return marks.sort((one, other) => one.at - other.at)
}
