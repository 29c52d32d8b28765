import type { Job } from '@/shared/api/jobs'
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

/** Why nothing of a job that has ended can be tried again; undefined where something can, or may for all that is known. */
export function noRetry(
  { errorSummary, phase }: Pick<Job, 'errorSummary' | 'phase'>,
  entries: readonly Entry[] | undefined,
): string | undefined {
  if (errorSummary?.type === 'transient') return undefined
  if (entries !== undefined) {
    if (retryable(entries) > 0) return undefined
    return entries.some(({ status }) => status === 'failed')
      ? 'what failed would fail again'
      : 'nothing has failed'
  }
  return phase === 'ERROR' ? 'it would fail again' : 'it has no list of what failed'
}

/** What a cutout is of, beside its position: several of one position must be told apart. */
export const ofWhat = ({ band, obs, image, type }: ManifestRow): string =>
  [band, obs ?? image, type].filter((word) => word !== null && word !== '').join(', ')

const byNumber = new Intl.Collator('en', { numeric: true })

/** Files in the order of the rows that they are of, those of no row before them; without a manifest as they came. */
export function inOrder<T extends { id: string }>(
  files: readonly T[],
  manifest: Manifest | undefined,
): readonly T[] {
  if (manifest === undefined) return files
  const places = new Map<string, number>()
  for (const { row, file, lightcurve } of manifest.rows) {
    for (const name of [file, lightcurve]) if (name != null) places.set(stemOf(name), row)
  }
  const placed = files.map((file) => ({ file, place: places.get(stemOf(file.id)) ?? 0 }))
  placed.sort((one, other) => one.place - other.place || byNumber.compare(one.file.id, other.file.id))
  return placed.map(({ file }) => file)
}

const stemOf = (name: string) => name.replace(/\.(fits\.fz|fits|png|csv)$/, '')

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
