/** Files of images that are held, and what is drawn of them: the worker's work, without a worker. */
import { readFits, readPlane, type FitsFile, type Pixels } from '@/shared/astro/fits'
import { gunzip } from '@/shared/astro/gunzip'
import { FitsError } from '@/shared/astro/header'
import { limitsOf, sampleOf } from '@/shared/astro/limits'
import { paint, type Limits } from '@/shared/astro/stretch'
import type { FullLook } from './look'
import type { FileInfo, Target } from './protocol'

/** Largest file that is looked at, unpacked: 512 MiB. */
export const MOST_BYTES = 512 * 1024 * 1024
/** Values of planes that are kept as numbers, in all; beyond them the one that was used longest ago is read again. */
const KEPT = 64 * 1024 * 1024

type Plane = Pixels & { sorted: Float64Array }
type Opened = { bytes: Uint8Array; file: FitsFile; closed: AbortController }

export class Files {
  private readonly opened = new Map<string, Opened>()
  /** The one used last is the last. */
  private readonly planes = new Map<string, Plane>()
  /** Those that are being read. */
  private readonly coming = new Map<string, Promise<Plane>>()

  constructor(private readonly most = KEPT) {}

  async open(key: string, data: Blob): Promise<FileInfo> {
    const bytes = await bytesOf(data)
    const file = readFits(bytes)
    this.opened.set(key, { bytes, file, closed: new AbortController() })
    return {
      ...(file.fault === undefined ? {} : { fault: file.fault }),
      hdus: file.hdus.map(({ index, name, axes, bitpix, header, refusal }) => ({
        ...{ index, name, axes, bitpix, cards: header.cards },
        ...(refusal === undefined ? {} : { refusal }),
      })),
    }
  }

  close(key: string) {
    this.opened.get(key)?.closed.abort()
    this.opened.delete(key)
    // Who opens it again does not wait for what has been given up.
    for (const held of [this.planes, this.coming])
      for (const name of held.keys()) if (name.startsWith(`${key} `)) held.delete(name)
  }

  async limits(target: Target, cuts: string): Promise<Limits> {
    const { sorted, values } = await this.plane(target)
    return limitsOf(cuts, sorted, values)
  }

  async draw(target: Target, look: FullLook, given?: Limits) {
    const plane = await this.plane(target)
    const limits = given ?? limitsOf(look.cuts, plane.sorted, plane.values)
    return { pixels: paint(plane, { ...look, limits }), width: plane.width, height: plane.height, limits }
  }

  async value(target: Target, x: number, y: number): Promise<number | null> {
    const { width, height, values } = await this.plane(target)
    if (x < 0 || y < 0 || x >= width || y >= height) return null
    const value = values[y * width + x]
    return value === undefined || Number.isNaN(value) ? null : value
  }

  /** A plane as numbers: kept, on its way for another who asks, or read. */
  private async plane(target: Target): Promise<Plane> {
    const name = `${target.key} ${target.hdu} ${target.plane}`
    const kept = this.planes.get(name)
    if (kept !== undefined) {
      this.planes.delete(name)
      this.planes.set(name, kept)
      return kept
    }
    const coming = this.coming.get(name) ?? this.read(name, target)
    this.coming.set(name, coming)
    try {
      return await coming
    } finally {
      if (this.coming.get(name) === coming) this.coming.delete(name)
    }
  }

  private async read(name: string, { key, hdu, plane }: Target): Promise<Plane> {
    const opened = this.opened.get(key)
    const found = opened?.file.hdus[hdu]
    if (opened === undefined || found === undefined) throw new FitsError(`There is no HDU ${hdu}.`)
    const pixels = await readPlane(opened.bytes, found, plane, opened.closed.signal)
    const made = { ...pixels, sorted: sampleOf(pixels.values) }
    // Who has closed the file meanwhile wants nothing of it kept.
    if (this.opened.get(key) !== opened) return made
    let held = made.values.length
    for (const { values } of this.planes.values()) held += values.length
    for (const [old, { values }] of this.planes) {
      if (held <= this.most) break
      this.planes.delete(old)
      held -= values.length
    }
    this.planes.set(name, made)
    return made
  }
}

/** The bytes of a file, unpacked if it is gzip: never more than a limit, whatever it unpacks to. */
async function bytesOf(data: Blob): Promise<Uint8Array> {
  const tooLarge = `It is larger than ${MOST_BYTES / 1024 / 1024} MiB, which is the most that is looked at here.`
  if (data.size > MOST_BYTES) throw new FitsError(tooLarge)
  const magic = new Uint8Array(await data.slice(0, 2).arrayBuffer())
  if (magic[0] === 0x1f && magic[1] === 0x8b) return gunzip(data, MOST_BYTES, tooLarge)
  return new Uint8Array(await data.arrayBuffer())
}
