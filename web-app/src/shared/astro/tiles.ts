/** Pixels of images that are compressed in tiles (FITS 4.0, section 10), as they were before they were compressed. */
import { seedOf, unquantised } from './dither'
import { gunzip } from './gunzip'
import { FitsError } from './header'
import { unrice } from './rice'
import { isReal, kindBytes, MOST_PIXELS, type Column, type Tiling } from './tiling'

/** Tiles that are unpacked at a time, if they are small: unpacking gzip waits. */
const AT_A_TIME = 32

/** After so many pixels whoever waits for the thread has a turn, such as one who closes the file. */
const AT_A_STRETCH = 4 * 1024 * 1024
/** What a tile costs at least, in pixels. */
const LEAST_COST = 1024

/** A tile, or the part of it that is in a plane: where it begins there, its sides, and how many pixels are before it. */
type Part = { row: number; x: number; y: number; width: number; height: number; skip: number; pixels: number }

/**
 * The numbers of a plane, before BSCALE and BZERO; values of a real image that are undefined are NaN. Throws when nobody
 * wants them any more.
 */
export async function readTiles(
  bytes: Uint8Array,
  tiling: Tiling,
  { axes, bitpix }: { axes: readonly number[]; bitpix: number },
  plane: number,
  unwanted?: AbortSignal,
): Promise<Float64Array> {
  const [width = 0, height = 0] = axes
  const out = new Float64Array(width * height)
  const parts = partsOf(tiling.tile, axes, plane)
  const inTile = tiling.tile.reduce((all, side) => all * side, 1)
  const atATime = Math.max(1, Math.min(AT_A_TIME, Math.floor(MOST_PIXELS / inTile)))
  let since = 0
  for (let from = 0; from < parts.length; from += atATime) {
    const some = parts.slice(from, from + atATime)
    const read = await Promise.all(some.map((part) => readTile(bytes, tiling, bitpix, part)))
    for (const { pixels } of some) since += Math.max(pixels, LEAST_COST)
    if (since >= AT_A_STRETCH) {
      since = 0
      await new Promise((resolve) => setTimeout(resolve))
    }
    if (unwanted?.aborted === true) throw new FitsError('The file has been closed.')
    some.forEach((part, index) => {
      const numbers = read[index] ?? []
      for (let row = 0; row < part.height; row += 1) {
        const to = (part.y + row) * width + part.x
        const at = part.skip + row * part.width
        for (let column = 0; column < part.width; column += 1) out[to + column] = numbers[at + column] ?? NaN
      }
    })
  }
  return out
}

/** The tiles that a plane lies in. */
function partsOf(tile: readonly number[], axes: readonly number[], plane: number): Part[] {
  const across = axes.map((length, axis) => Math.ceil(length / (tile[axis] ?? 1)))
  const sideOf = (axis: number, number: number) => {
    const side = tile[axis] ?? 1
    return Math.min(side, (axes[axis] ?? 1) - number * side)
  }
  // Of the axes after the second: which tile of each, and how far the plane is in it.
  let rest = plane
  let [before, depth, layer] = [0, 1, 0]
  let step = (across[0] ?? 1) * (across[1] ?? 1)
  for (let axis = 2; axis < axes.length; axis += 1) {
    const length = axes[axis] ?? 1
    const at = rest % length
    rest = Math.floor(rest / length)
    const number = Math.floor(at / (tile[axis] ?? 1))
    layer += depth * (at - number * (tile[axis] ?? 1))
    depth *= sideOf(axis, number)
    before += step * number
    step *= across[axis] ?? 1
  }
  const parts: Part[] = []
  for (let down = 0; down < (across[1] ?? 1); down += 1) {
    for (let right = 0; right < (across[0] ?? 1); right += 1) {
      const [width, height] = [sideOf(0, right), sideOf(1, down)]
      parts.push({
        ...{ width, height },
        row: before + down * (across[0] ?? 1) + right,
        x: right * (tile[0] ?? 1),
        y: down * (tile[1] ?? 1),
        skip: layer * width * height,
        pixels: depth * width * height,
      })
    }
  }
  return parts
}

async function readTile(
  bytes: Uint8Array,
  tiling: Tiling,
  bitpix: number,
  { row, pixels }: Part,
): Promise<ArrayLike<number>> {
  try {
    const numbers = await unpacked(bytes, tiling, bitpix, row, pixels)
    if (numbers.length !== pixels) throw new FitsError(`it has ${numbers.length} of ${pixels} pixels`)
    return numbers
  } catch (error) {
    if (!(error instanceof FitsError)) throw error
    throw new FitsError(`Tile ${row + 1} cannot be unpacked: ${error.message}`)
  }
}

async function unpacked(
  bytes: Uint8Array,
  tiling: Tiling,
  bitpix: number,
  row: number,
  pixels: number,
): Promise<ArrayLike<number>> {
  const start = tiling.offset + row * tiling.rowBytes
  const cell = (name: string) => cellOf(bytes, tiling, tiling.columns.get(name), start, pixels)
  const scalar = (name: string) => scalarOf(bytes, tiling.columns.get(name), start)
  const data = cell('COMPRESSED_DATA')
  if (data.length === 0) {
    // What could not be quantised is there as it was.
    const gzipped = cell('GZIP_COMPRESSED_DATA')
    if (gzipped.length > 0) return plain(await inflated(gzipped, pixels), pixels, isReal(bitpix))
    const bare = cell('UNCOMPRESSED_DATA')
    if (bare.length === 0) throw new FitsError('it is empty')
    return plain(bare, pixels, isReal(bitpix))
  }
  const scale = scalar('ZSCALE') ?? tiling.scale
  const quantised = isReal(bitpix) && scale !== undefined
  const numbers = await decoded(data, tiling, pixels, isReal(bitpix) && !quantised)
  if (!quantised) return numbers
  return unquantised(numbers, {
    scale,
    zero: scalar('ZZERO') ?? tiling.zero ?? 0,
    blank: scalar('ZBLANK') ?? tiling.blank,
    dither: tiling.dither,
    seed: seedOf(row, tiling.zdither0),
  })
}

async function decoded(
  data: Uint8Array,
  { method, bytePix, blockSize }: Tiling,
  pixels: number,
  real: boolean,
): Promise<ArrayLike<number>> {
  switch (method) {
    case 'RICE_1':
      if (real) throw new FitsError('it has Rice code of reals without ZSCALE')
      return unrice(data, pixels, bytePix, blockSize)
    case 'GZIP_1':
      return plain(await inflated(data, pixels), pixels, real)
    case 'GZIP_2':
      return plain(unshuffled(await inflated(data, pixels), pixels), pixels, real)
    case 'NOCOMPRESS':
      return plain(data, pixels, real)
  }
}

const inflated = (data: Uint8Array, pixels: number) =>
  gunzip(new Blob([new Uint8Array(data)]), pixels * 8, 'its gzip is longer than its pixels are')

/** Numbers of which all first bytes come first, then all second ones: each again in one piece. */
function unshuffled(bytes: Uint8Array, pixels: number): Uint8Array {
  const width = bytes.length / pixels
  const out = new Uint8Array(bytes.length)
  for (let byte = 0; byte < width; byte += 1)
    for (let pixel = 0; pixel < pixels; pixel += 1)
      out[pixel * width + byte] = bytes[byte * pixels + pixel] ?? 0
  return out
}

/** Numbers as FITS has them. How many bytes one has, their number tells: old files have more than BITPIX says. */
function plain(bytes: Uint8Array, pixels: number, real: boolean): ArrayLike<number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const width = bytes.length / pixels
  const out = new Float64Array(pixels)
  const read = (at: (at: number) => number) => {
    for (let pixel = 0; pixel < pixels; pixel += 1) out[pixel] = at(pixel * width)
    return out
  }
  if (width === 4) return read(real ? (at) => view.getFloat32(at) : (at) => view.getInt32(at))
  if (width === 8) return read(real ? (at) => view.getFloat64(at) : (at) => Number(view.getBigInt64(at)))
  if (width === 2 && !real) return read((at) => view.getInt16(at))
  if (width === 1 && !real) return bytes
  throw new FitsError(`it has ${bytes.length} bytes for ${pixels} pixels`)
}

const nothing = new Uint8Array(0)

/** What a column has in the heap for the row that begins at this byte (section 7.3.5). */
function cellOf(
  bytes: Uint8Array,
  { heap, end }: Tiling,
  column: Column | undefined,
  row: number,
  pixels: number,
): Uint8Array {
  if (column?.wide === undefined) return nothing
  const view = new DataView(bytes.buffer, bytes.byteOffset + row + column.at, column.wide ? 16 : 8)
  const [count, offset] = column.wide
    ? [Number(view.getBigInt64(0)), Number(view.getBigInt64(8))]
    : [view.getInt32(0), view.getInt32(4)]
  if (count === 0) return nothing
  const length = count * kindBytes[column.kind]
  if (count < 0 || offset < 0 || heap + offset + length > end)
    throw new FitsError('it lies beyond the data of its table')
  // No code makes more of a pixel, whatever is said of its length.
  if (length > pixels * 16 + 4096) throw new FitsError('it has more bytes than its pixels can need')
  return bytes.subarray(heap + offset, heap + offset + length)
}

/** The number that a column has in a row. */
function scalarOf(bytes: Uint8Array, column: Column | undefined, row: number): number | undefined {
  if (column === undefined || column.wide !== undefined) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset + row + column.at, kindBytes[column.kind])
  switch (column.kind) {
    case 'B':
      return view.getUint8(0)
    case 'I':
      return view.getInt16(0)
    case 'J':
      return view.getInt32(0)
    case 'K':
      return Number(view.getBigInt64(0))
    case 'E':
      return view.getFloat32(0)
    case 'D':
      return view.getFloat64(0)
  }
}
