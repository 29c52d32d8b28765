import type { Manifest, ManifestRow } from '@/shared/api/results'
import type { SkyPoint } from '@/shared/charts/SkyMap'

/**
 * A row of the manifest and its place in it, from 1. Several may be of one row of the list. Before there is a
 * manifest, what is known of it; `waiting` is a row of which nothing is there yet.
 */
export type Entry = { key: number; status: 'ok' | 'failed' | 'waiting'; data: ManifestRow }

export const entriesOf = ({ rows }: Manifest): Entry[] =>
  rows.map((data, index) => ({ key: index + 1, status: data.status, data }))

/** Reasons for which the server tries a row again: others would come again. */
const passing: ReadonlySet<string> = new Set(['source_unreadable', 'source_changed', 'cancelled'])

/** Rows of the list that can be tried again as they are. */
export const retryable = (entries: readonly Entry[]): number =>
  new Set(entries.filter(({ data }) => passing.has(data.reason ?? '')).map(({ data }) => data.row)).size

/** One point for each position: failed if all of its cutouts have, plain while it waits. Its number is that of its first entry. */
export function pointsOf(entries: readonly Entry[]): SkyPoint[] {
  const points = new Map<number, SkyPoint>()
  for (const { key, status, data } of entries) {
    if (data.ra === null || data.dec === null) continue
    const tone = status === 'ok' ? 'good' : status === 'waiting' ? 'plain' : 'bad'
    const point = points.get(data.row)
    if (point === undefined)
      points.set(data.row, { id: key, name: data.id, ra: data.ra, dec: data.dec, tone })
    else if (tone === 'good') point.tone = tone
  }
  return [...points.values()]
}
