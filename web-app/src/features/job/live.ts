import type { Job } from '@/shared/api/jobs'
import { formatDec, formatRa } from '@/shared/astro/coords'
import type { ListRow } from '@/shared/astro/positions'
import { inFileNames, type ManifestRow } from '@/shared/api/results'
import type { Entry } from '@/shared/job/manifest'

/**
 * What is known of a cutout job's rows before there is a manifest: files have the names of their rows, and the log
 * tells which failed.
 */

type Result = Pick<Job['results'][number], 'id' | 'size'>

/** Waiting rows are numbered from here, so that files keep their numbers while more of them come. */
export const WAITING = 1_000_000

const ENDING = /(\.fits\.fz|\.fits|\.png)$/

/** The server's name of a position that has none of its own. */
export const nameOf = (ra: number, dec: number) =>
  `J${formatRa(ra).replace(/[^\d.]/g, '')}${dec < 0 ? '-' : '+'}${formatDec(dec).replace(/[^\d.]/g, '')}`

/** `Row 3 (M13), maps/a.fits: too_large: what it says`, as a job logs it. */
const FAILED = /^Row (\d+) \(.*?\), (.+?): (\w+): (.*)$/
/** `Row 3 (M13): what it says`, of a row that is on no image. */
const UNMATCHED = /^Row (\d+) \(.*?\): (.*)$/

export type Failure = { row: number; image: string | null; reason: string; message: string }

export function failureOf(text: string): Failure | undefined {
  const [, row, image = '', reason = '', message = ''] = FAILED.exec(text) ?? []
  if (row !== undefined)
    return { row: Number(row), image: image === 'no image' ? null : image, reason, message }
  const [, unmatched, why = ''] = UNMATCHED.exec(text) ?? []
  if (unmatched === undefined) return undefined
  return { row: Number(unmatched), image: null, reason: 'outside_footprint', message: why }
}

export function liveEntries(
  rows: readonly ListRow[],
  results: readonly Result[],
  failures: readonly Failure[],
): Entry[] {
  const ids = rows.map(
    ({ cells, ra, dec }) => cells.OBJID ?? (ra !== undefined && dec !== undefined ? nameOf(ra, dec) : ''),
  )
  const byName = new Map<string, number>()
  ids.forEach((id, index) => {
    if (id !== '' && !byName.has(inFileNames(id))) byName.set(inFileNames(id), index)
  })
  const begun = new Set<number>()
  const entries: Entry[] = []
  results.forEach(({ id, size }, index) => {
    const stem = id.replace(ENDING, '')
    if (stem === id || !id.includes('.fits')) return
    const at = rowNamed(stem, byName)
    if (at !== undefined) begun.add(at)
    const name = at === undefined ? stem : (ids[at] ?? stem)
    const rest = at === undefined ? null : stem.slice(inFileNames(name).length + 1) || null
    const place = at === undefined ? undefined : rows[at]
    entries.push({
      key: index + 1,
      status: 'ok',
      data: {
        ...unknown,
        row: (at ?? -1) + 1,
        id: name,
        ...placeOf(place),
        band: rest,
        file: id,
        size,
        status: 'ok',
      },
    })
  })
  failures.forEach(({ row, image, reason, message }, index) => {
    begun.add(row - 1)
    entries.push({
      key: 2 * WAITING + index,
      status: 'failed',
      data: {
        ...unknown,
        row,
        id: ids[row - 1] ?? `row ${row}`,
        ...placeOf(rows[row - 1]),
        image,
        reason,
        message,
      },
    })
  })
  rows.forEach((place, index) => {
    if (begun.has(index)) return
    const data: ManifestRow = { ...unknown, row: index + 1, id: ids[index] ?? '', ...placeOf(place) }
    entries.push({ key: WAITING + index, status: 'waiting', data })
  })
  return entries
}

/** The row whose name a file's begins with: the longest that does. */
function rowNamed(stem: string, byName: ReadonlyMap<string, number>): number | undefined {
  for (let end = stem.length; end > 0; end = stem.lastIndexOf('_', end - 1)) {
    const at = byName.get(stem.slice(0, end))
    if (at !== undefined) return at
  }
  return undefined
}

const placeOf = (row: ListRow | undefined) => ({ ra: row?.ra ?? null, dec: row?.dec ?? null })

const unknown: Omit<ManifestRow, 'row' | 'id' | 'ra' | 'dec'> = {
  image: null,
  collection: null,
  band: null,
  obs: null,
  type: null,
  hdu: null,
  status: 'failed',
  reason: null,
  message: null,
  coverage: null,
  file: null,
  size: null,
  sha256: null,
}

/**
 * The numbers of the strip, all of them cutouts, as the job counts its work. Of some positions none is there yet, and
 * how many there will be only the job knows.
 */
export function liveTally(entries: readonly Entry[], { progressDone, progressTotal }: Job['jobInfo']) {
  const of = (wanted: Entry['status']) => entries.filter(({ status }) => status === wanted).length
  const isKnown = progressDone != null && progressTotal != null
  return {
    ok: of('ok'),
    failed: of('failed'),
    waiting: isKnown ? Math.max(0, progressTotal - progressDone) : undefined,
    all: isKnown ? progressTotal : undefined,
  }
}
