import type { Manifest, ManifestRow } from '@/shared/api/results'
import type { SkyPoint } from '@/shared/charts/SkyMap'

/** A row of the manifest and its place in it, from 1. Several may be of one row of the list. */
export type Entry = { key: number; data: ManifestRow }

export const entriesOf = ({ rows }: Manifest): Entry[] =>
  rows.map((data, index) => ({ key: index + 1, data }))

/** Why a cutout was not made, for people. */
export const reasons: Record<string, string> = {
  outside_footprint: 'On no image',
  no_matching_image: 'On no image that was asked for',
  zero_weight: 'No pixel with a weight',
  no_wcs: 'The image has no coordinates',
  source_unreadable: 'The image cannot be read',
  source_changed: 'The image was changed meanwhile',
  too_large: 'Too large',
  cancelled: 'Was ended before',
}

/** One point for each position: failed if all of its cutouts have. Its number is that of its first entry. */
export function pointsOf(entries: readonly Entry[]): SkyPoint[] {
  const points = new Map<number, SkyPoint>()
  for (const { key, data } of entries) {
    if (data.ra === null || data.dec === null) continue
    const tone = data.status === 'ok' ? 'good' : 'bad'
    const point = points.get(data.row)
    if (point === undefined)
      points.set(data.row, { id: key, name: data.id, ra: data.ra, dec: data.dec, tone })
    else if (tone === 'good') point.tone = tone
  }
  return [...points.values()]
}
