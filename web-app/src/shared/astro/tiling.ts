/** What the header of a table says of an image that is compressed in its rows (FITS 4.0, section 10.1). */
import type { Dither } from './dither'
import { FitsError, type Header } from './header'
import type { BytePix } from './rice'

const methods = ['RICE_1', 'GZIP_1', 'GZIP_2', 'NOCOMPRESS'] as const
export type Method = (typeof methods)[number]

/** Most pixels of an image that is drawn. */
export const MOST_PIXELS = 32 * 1024 * 1024
/** Tiles of a plane: each costs time, however small it is. */
const MOST_TILES = 100_000
/** Pixels that are unpacked for one plane: deep tiles are unpacked whole for the one that is in the plane. */
const MOST_UNPACKED = 4 * MOST_PIXELS

export type Tiling = {
  method: Method
  /** Lengths of a whole tile, the fastest axis first; none longer than the image. */
  tile: readonly number[]
  /** Where rows begin, and how long one is. */
  offset: number
  rowBytes: number
  /** Where the heap begins, and where it ends. */
  heap: number
  end: number
  columns: ReadonlyMap<string, Column>
  /** What holds for all tiles of which no column says it. */
  scale: number | undefined
  zero: number | undefined
  blank: number | undefined
  dither: Dither
  zdither0: number
  blockSize: number
  bytePix: BytePix
}

/** A column: where it is in a row, and what stands there, or in the heap where `wide` says how its place is told. */
export type Column = { at: number; kind: Kind; wide?: boolean }
export type Kind = 'B' | 'I' | 'J' | 'K' | 'E' | 'D'

/** Bytes of what stands in columns (section 7.3.1). */
export const kindBytes: Record<Kind, number> = { B: 1, I: 2, J: 4, K: 8, E: 4, D: 8 }
const otherBytes: Record<string, number> = { L: 1, A: 1, C: 8, M: 16, P: 8, Q: 16 }

const isKind = (letter: string): letter is Kind => letter in kindBytes

export const isReal = (bitpix: number) => bitpix < 0

/** Throws why an image cannot be read. `axes` and `bitpix` are those of the image. */
export function tilingOf(
  header: Header,
  { axes, bitpix, offset, size }: { axes: readonly number[]; bitpix: number; offset: number; size: number },
): Tiling {
  const whole = (keyword: string, absent: number, least = 0) => {
    const value = header.has(keyword) ? header.number(keyword) : absent
    if (value === undefined || !Number.isSafeInteger(value) || value < least)
      throw new FitsError(`${keyword} is no whole number from ${least}.`)
    return value
  }
  const method = methodOf(header)
  const tile = axes.map((length, axis) =>
    Math.min(length, whole(`ZTILE${axis + 1}`, axis > 0 ? 1 : length, 1)),
  )
  if (tile.reduce((all, side) => all * side, 1) > MOST_PIXELS)
    throw new FitsError(`Its tiles are ${tile.join(' by ')} pixels: more than are read here.`)
  const across = axes.map((length, axis) => Math.ceil(length / (tile[axis] ?? 1)))
  const count = across.reduce((all, many) => all * many, 1)
  const [rowBytes, rows] = [whole('NAXIS1', -1), whole('NAXIS2', -1)]
  if (rows !== count) throw new FitsError(`Its table has ${rows} rows for ${count} tiles.`)
  if ((across[0] ?? 0) * (across[1] ?? 0) > MOST_TILES)
    throw new FitsError(`It has more than ${MOST_TILES} tiles, which are not read here.`)
  const [width = 0, height = 0] = axes
  if (tile.slice(2).reduce((all, side) => all * side, width * height) > MOST_UNPACKED)
    throw new FitsError(
      `Its tiles are ${tile.join(' by ')} pixels: for one plane more would be unpacked than is here. Unpack it with funpack, or ask for FORMAT=fits.`,
    )
  const heap = whole('THEAP', rowBytes * rows)
  if (rowBytes * rows > size || heap > size) throw new FitsError('Its table is longer than its data.')
  const columns = columnsOf(header, rowBytes)
  if (columns.get('COMPRESSED_DATA')?.wide === undefined)
    throw new FitsError('Its table has no column COMPRESSED_DATA.')
  return {
    ...{ method, tile, offset, rowBytes, columns },
    heap: offset + heap,
    end: offset + size,
    scale: header.number('ZSCALE'),
    zero: header.number('ZZERO'),
    blank: header.number('ZBLANK'),
    dither: isReal(bitpix) ? ditherOf(header) : 0,
    zdither0: header.number('ZDITHER0') ?? 1,
    ...riceOf(header),
  }
}

function methodOf(header: Header): Method {
  const name = header.text('ZCMPTYPE') ?? ''
  // So old readers are kept off where zeros were not dithered.
  if (name === 'RICE_ONE') return 'RICE_1'
  const method = methods.find((one) => one === name)
  if (method === undefined) {
    throw new FitsError(
      `It is compressed by ${name === '' ? 'an unnamed method' : name}, which is not read here. Unpack it with funpack, or ask for FORMAT=fits.`,
    )
  }
  return method
}

function ditherOf(header: Header): Dither {
  const name = header.text('ZQUANTIZ') ?? 'NO_DITHER'
  const way = ['NO_DITHER', 'SUBTRACTIVE_DITHER_1', 'SUBTRACTIVE_DITHER_2', 'NONE'].indexOf(name)
  if (way < 0)
    throw new FitsError(
      `It is quantised by ${name}, which is not read here. Unpack it with funpack, or ask for FORMAT=fits.`,
    )
  return way === 1 || way === 2 ? way : 0
}

function riceOf(header: Header): { blockSize: number; bytePix: BytePix } {
  const parameters = new Map<string, number | undefined>()
  for (let number = 1; number < 1_000 && header.has(`ZNAME${number}`); number += 1)
    parameters.set(header.text(`ZNAME${number}`) ?? '', header.number(`ZVAL${number}`))
  const of = (name: string, usual: number) => (parameters.has(name) ? parameters.get(name) : usual)
  const blockSize = of('BLOCKSIZE', 32)
  if (blockSize === undefined || !Number.isSafeInteger(blockSize) || blockSize < 1)
    throw new FitsError('BLOCKSIZE of its Rice code is no whole number from 1.')
  const bytePix = of('BYTEPIX', 4)
  if (bytePix !== 1 && bytePix !== 2 && bytePix !== 4)
    throw new FitsError(`BYTEPIX of its Rice code is ${bytePix}: expected 1, 2 or 4.`)
  return { blockSize, bytePix }
}

function columnsOf(header: Header, rowBytes: number): Map<string, Column> {
  const columns = new Map<string, Column>()
  const fields = header.number('TFIELDS') ?? 0
  let at = 0
  for (let field = 1; field <= Math.min(fields, 999); field += 1) {
    const form = header.text(`TFORM${field}`) ?? ''
    const [, repeat = '', letter = '', of = ''] = /^\s*(\d*)([A-Z])([A-Z]?)/.exec(form) ?? []
    const many = repeat === '' ? 1 : Number(repeat)
    const bytes =
      letter === 'X'
        ? Math.ceil(many / 8)
        : many * (isKind(letter) ? kindBytes[letter] : (otherBytes[letter] ?? NaN))
    if (!(at + bytes <= rowBytes)) throw new FitsError(`TFORM${field} of its table is no form of a column.`)
    const name = (header.text(`TTYPE${field}`) ?? '').toUpperCase()
    const inHeap = letter === 'P' || letter === 'Q'
    const kind = inHeap ? of : letter
    if (many === 1 && isKind(kind)) columns.set(name, { at, kind, ...(inHeap && { wide: letter === 'Q' }) })
    at += bytes
  }
  return columns
}
