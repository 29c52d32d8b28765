/**
 * Images of FITS files (standard 4.0) in memory, for looks at them. Nothing that a header claims is believed: no more
 * is read than the file has, and memory is taken only for pixels that are there.
 */
import { BLOCK, FitsError, Header, readHeader } from './header'
import { readTiles } from './tiles'
import { MOST_PIXELS, tilingOf, type Tiling } from './tiling'

/** Longest side: what browsers draw. */
const LONGEST = 16_384
const MOST_HDUS = 1_000
/** Cards of all headers of a file: each takes more memory than its 80 bytes. */
const MOST_CARDS = 400_000

export type Hdu = {
  /** 0 is the primary. */
  index: number
  name: string
  header: Header
  /** Lengths of the axes, the fastest first; of an image that is compressed, its own. */
  axes: readonly number[]
  bitpix: number
  /** Where its data begin, and how many bytes they claim to be. */
  offset: number
  size: number
  /** Of an image that is compressed in tiles: where they are. */
  tiling?: Tiling
  /** Why it cannot be drawn; without it, it can. */
  refusal?: string
}

export type FitsFile = {
  hdus: Hdu[]
  /** Why there may be more that is not listed. */
  fault?: string
}

export type Pixels = { width: number; height: number; values: Float32Array | Float64Array }

const kinds = new Set([8, 16, 32, 64, -32, -64])

/** The HDUs of a file. Throws if it does not begin as FITS does; what is wrong later ends the list. */
export function readFits(bytes: Uint8Array): FitsFile {
  const magic = String.fromCharCode(...bytes.subarray(0, 6))
  if (magic !== 'SIMPLE') throw new FitsError('This is no FITS file: it does not begin with SIMPLE.')
  const hdus: Hdu[] = []
  let at = 0
  let cards = 0
  while (at < bytes.length && hdus.length < MOST_HDUS) {
    // After the last HDU anything may come, and is none.
    if (at > 0 && String.fromCharCode(...bytes.subarray(at, at + 8)) !== 'XTENSION') break
    try {
      const { header, end } = readHeader(bytes, at)
      cards += header.cards.length
      if (cards > MOST_CARDS) throw new FitsError(`The headers have more than ${MOST_CARDS} cards.`)
      const hdu = describe(header, hdus.length, end, bytes.length)
      hdus.push(hdu)
      at = end + Math.ceil(hdu.size / BLOCK) * BLOCK
    } catch (error) {
      if (hdus.length === 0 || !(error instanceof FitsError)) throw error
      return { hdus, fault: `After HDU ${hdus.length - 1}: ${error.message}` }
    }
  }
  return { hdus }
}

function describe(header: Header, index: number, offset: number, length: number): Hdu {
  const { bitpix, axes, whole } = shapeOf(header, index)
  const number = axes.length
  const groups = header.flag('GROUPS') && axes[0] === 0
  const counted = groups ? axes.slice(1) : axes
  const product = number === 0 ? 0 : counted.reduce((all, axis) => all * axis, 1)
  const many = whole('GCOUNT', 0, 2 ** 40, 1)
  const size = (Math.abs(bitpix) / 8) * many * (whole('PCOUNT', 0, 2 ** 40, 0) + product)
  if (!Number.isSafeInteger(size)) throw new FitsError(`HDU ${index} claims to be larger than any file.`)
  const extension = header.text('XTENSION') ?? 'IMAGE'
  const name = header.text('EXTNAME') ?? (index === 0 ? 'primary' : `HDU ${index}`)
  const hdu: Hdu = { index, name, header, axes, bitpix, offset, size }
  if (extension === 'BINTABLE' && header.flag('ZIMAGE')) return describeTiled(hdu, length)
  const refusal = refuse(hdu, groups ? 'GROUPS' : extension, length)
  return refusal === undefined ? hdu : { ...hdu, refusal }
}

/** What a header says of the shape of its data, or, with `Z` before the names, of those that were compressed. */
function shapeOf(header: Header, index: number, prefix = '') {
  const whole = (keyword: string, least: number, most: number, absent?: number) => {
    const value = header.has(keyword) ? header.number(keyword) : absent
    if (value === undefined || !Number.isInteger(value) || value < least || value > most)
      throw new FitsError(`${keyword} of HDU ${index} is no whole number from ${least} to ${most}.`)
    return value
  }
  const bitpix = whole(`${prefix}BITPIX`, -64, 64)
  if (!kinds.has(bitpix))
    throw new FitsError(`${prefix}BITPIX ${bitpix} of HDU ${index} is no kind of number.`)
  const number = whole(`${prefix}NAXIS`, 0, 999)
  const axes = Array.from({ length: number }, (_, axis) => whole(`${prefix}NAXIS${axis + 1}`, 0, 2 ** 40))
  return { bitpix, axes, whole }
}

/** An image that is compressed in a table: what is wrong with it is its own, the HDUs after it can be found. */
function describeTiled(table: Hdu, length: number): Hdu {
  let hdu = table
  try {
    const { bitpix, axes } = shapeOf(table.header, table.index, 'Z')
    hdu = { ...table, bitpix, axes }
    const refusal = refuse(hdu, 'IMAGE', length)
    return refusal === undefined ? { ...hdu, tiling: tilingOf(table.header, hdu) } : { ...hdu, refusal }
  } catch (error) {
    if (!(error instanceof FitsError)) throw error
    return { ...hdu, refusal: error.message }
  }
}

function refuse({ axes, offset, size }: Hdu, extension: string, length: number): string | undefined {
  if (extension === 'GROUPS') return 'It has random groups, which are no image.'
  if (extension !== 'IMAGE') return `It is a table (${extension}).`
  if (size === 0) return 'It has no pixels.'
  const [width = 0, height = 0] = axes
  if (axes.length < 2 || height === 1 || width === 1) return 'It has a single axis: it is no image.'
  if (width > LONGEST || height > LONGEST || width * height > MOST_PIXELS)
    return `It is ${width} by ${height} pixels: more than are drawn here.`
  if (offset + size > length) return `The file ends after ${length - offset} of its ${size} bytes.`
  return undefined
}

/** How many planes an image has: what its axes after the second make. */
export const planesOf = ({ axes }: Pick<Hdu, 'axes'>) => axes.slice(2).reduce((all, axis) => all * axis, 1)

/** The values of a plane, the first row of the file first; what is undefined is NaN. */
export async function readPlane(
  bytes: Uint8Array,
  hdu: Hdu,
  plane = 0,
  unwanted?: AbortSignal,
): Promise<Pixels> {
  const [width = 0, height = 0] = hdu.axes
  if (hdu.tiling === undefined) return readPixels(bytes, hdu, plane)
  check(hdu, plane)
  const numbers = await readTiles(bytes, hdu.tiling, hdu, plane, unwanted)
  const { values, valueOf } = scaling(hdu, width * height)
  for (let index = 0; index < values.length; index += 1) {
    const number = numbers[index] ?? NaN
    values[index] = valueOf(hdu.bitpix === -32 ? Math.fround(number) : number)
  }
  return { width, height, values }
}

/** The same of an image that is not compressed. */
export function readPixels(bytes: Uint8Array, hdu: Hdu, plane = 0): Pixels {
  check(hdu, plane)
  const { bitpix } = hdu
  const [width = 0, height = 0] = hdu.axes
  const step = Math.abs(bitpix) / 8
  const count = width * height
  const start = hdu.offset + plane * count * step
  if (start + count * step > bytes.length) throw new FitsError('The file ends before the image does.')
  const read = reader(new DataView(bytes.buffer, bytes.byteOffset + start, count * step), bitpix)
  const { values, valueOf } = scaling(hdu, count)
  for (let index = 0; index < count; index += 1) values[index] = valueOf(read(index * step))
  return { width, height, values }
}

function check(hdu: Hdu, plane: number) {
  if (hdu.refusal !== undefined) throw new FitsError(hdu.refusal)
  if (!Number.isInteger(plane) || plane < 0 || plane >= planesOf(hdu))
    throw new FitsError(`There is no plane ${plane + 1}.`)
}

/** How numbers become values (sections 4.4.2.5 and 5.3), and room for so many. */
function scaling({ header, bitpix, tiling }: Hdu, count: number) {
  const scale = header.number('BSCALE') ?? 1
  const zero = header.number('BZERO') ?? 0
  const blank = bitpix > 0 ? (header.number('BLANK') ?? tiling?.blank) : undefined
  // A float has 24 bits for what is scaled too.
  const whole = (bitpix === 8 || bitpix === 16) && Number.isInteger(zero) && Math.abs(zero) <= 2 ** 23
  const exact = scale === 1 && (whole || (bitpix === -32 && zero === 0))
  const values = exact ? new Float32Array(count) : new Float64Array(count)
  const plain = scale === 1 && zero === 0 && blank === undefined
  const valueOf = (raw: number) => (plain ? raw : raw === blank ? NaN : raw * scale + zero)
  return { values, valueOf }
}

function reader(view: DataView, bitpix: number): (at: number) => number {
  switch (bitpix) {
    case 8:
      return (at) => view.getUint8(at)
    case 16:
      return (at) => view.getInt16(at)
    case 32:
      return (at) => view.getInt32(at)
    case 64:
      return (at) => Number(view.getBigInt64(at))
    case -32:
      return (at) => view.getFloat32(at)
    default:
      return (at) => view.getFloat64(at)
  }
}
