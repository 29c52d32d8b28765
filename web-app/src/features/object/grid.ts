import type { Manifest, ManifestRow } from '@/shared/api/results'

/** A cutout of a position: its number among them, from 1, and its row of the manifest. */
export type Cutout = { at: number; data: ManifestRow }

export const bandOf = ({ band }: ManifestRow) => band ?? 'no band'
export const epochOf = ({ obs, image }: ManifestRow) => obs ?? image ?? 'no image'

const byNumber = new Intl.Collator('en', { numeric: true })

/** The cutouts of a row of the list, by band and epoch. */
export const cutoutsOf = ({ rows }: Manifest, row: number): Cutout[] =>
  rows
    .filter((data) => data.row === row)
    .sort(
      (one, other) =>
        byNumber.compare(bandOf(one), bandOf(other)) || byNumber.compare(epochOf(one), epochOf(other)),
    )
    .map((data, index) => ({ at: index + 1, data }))

export type Grid = { bands: string[]; epochs: string[]; cell: (band: string, epoch: string) => Cutout[] }

/** Bands down, epochs across. */
export function gridOf(cutouts: readonly Cutout[]): Grid {
  const of = (name: (row: ManifestRow) => string) =>
    [...new Set(cutouts.map(({ data }) => name(data)))].sort(byNumber.compare)
  // There may be thousands, and each of them is looked for.
  const cells = new Map<string, Cutout[]>()
  const key = (band: string, epoch: string) => JSON.stringify([band, epoch])
  for (const cutout of cutouts) {
    const name = key(bandOf(cutout.data), epochOf(cutout.data))
    const cell = cells.get(name)
    if (cell === undefined) cells.set(name, [cutout])
    else cell.push(cutout)
  }
  return {
    bands: of(bandOf),
    epochs: of(epochOf),
    cell: (band, epoch) => cells.get(key(band, epoch)) ?? [],
  }
}

/** The rows of the list before and after one. */
export function neighbours({ rows }: Manifest, row: number): { before?: number; after?: number } {
  const numbers = [...new Set(rows.map((data) => data.row))].sort((one, other) => one - other)
  const before = numbers.findLast((number) => number < row)
  const after = numbers.find((number) => number > row)
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }
}

/** The picture of a cutout that the job has made, if it has. */
export function pictureOf(names: ReadonlySet<string>, file: string): string | undefined {
  const name = `${file.replace(/\.fits(\.fz|\.gz)?$/, '')}.png`
  return names.has(name) ? name : undefined
}

export type Over = 'epochs' | 'bands' | 'all'

/** The cutouts that are blinked with one: those of its band, of its epoch, or all; only such as are there. */
export const blinkSet = (cutouts: readonly Cutout[], current: Cutout, over: Over): Cutout[] =>
  cutouts.filter(
    ({ data }) =>
      data.status === 'ok' &&
      data.file !== null &&
      (over === 'all' ||
        (over === 'epochs'
          ? bandOf(data) === bandOf(current.data)
          : epochOf(data) === epochOf(current.data))),
  )

/**
 * Those that are looked at together with one: of more than so many, or of more bytes, a part. The parts are about
 * equal and stay the same from one of theirs to the next, and with them the limits that they share.
 */
export function together(
  all: readonly Cutout[],
  current: Cutout,
  most: { number: number; bytes: number },
): Cutout[] {
  const largest = all.reduce((size, { data }) => Math.max(size, data.size ?? 0), 1)
  const many = Math.max(2, Math.min(most.number, Math.floor(most.bytes / largest)))
  const size = Math.ceil(all.length / Math.ceil(all.length / many))
  const at = all.findIndex((one) => one.at === current.at)
  const from = Math.floor(Math.max(0, at) / size) * size
  return all.slice(from, from + size)
}

/** The one so many places after another; after the last comes the first. */
export function beside(all: readonly Cutout[], current: Cutout, by: 1 | -1): Cutout | undefined {
  const at = all.findIndex((one) => one.at === current.at)
  return at < 0 ? all.at(by > 0 ? 0 : -1) : all[(at + by + all.length) % all.length]
}
