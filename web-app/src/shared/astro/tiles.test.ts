import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { randoms } from './dither'
import { readFits, readPlane, type Hdu } from './fits'
import { unrice } from './rice'
import { bigEndian, hdu, image, joined } from './testing'

const file = new Uint8Array(gunzipSync(readFileSync('src/shared/astro/testdata/tiles.fits.gz')))
const { hdus, fault } = readFits(file)

/** Of all planes, as 64-bit reals. */
async function digest(one: Hdu): Promise<string> {
  const hash = createHash('sha256')
  const planes = one.axes[2] ?? 1
  for (let plane = 0; plane < planes; plane += 1) {
    const { values } = await readPlane(file, one, plane)
    hash.update(bigEndian(-64, [...values]))
  }
  return hash.digest('hex')
}

describe('images that astropy has compressed in tiles', () => {
  const drawn = hdus.filter(({ tiling }) => tiling !== undefined)

  it('are all listed, but for those of methods that are not read', () => {
    expect(fault).toBeUndefined()
    expect(drawn).toHaveLength(24)
    expect(hdus.slice(25).map(({ refusal }) => refusal)).toEqual([
      expect.stringContaining('compressed by HCOMPRESS_1, which is not read here'),
      expect.stringContaining('compressed by PLIO_1, which is not read here'),
    ])
    expect(hdus[25]?.axes).toEqual([16, 16])
  })

  it.each(drawn.map((one) => [one.name, one] as const))('%s: bit by bit', async (_name, one) => {
    expect(await digest(one)).toBe(one.header.text('UNPACKED'))
  })
})

it('the random numbers end as the standard says that they do', () => {
  // Appendix I: the last seed of the sequence.
  expect(randoms()[9_999]).toBe(Math.fround(1_043_618_065 / 2_147_483_647))
})

type Cell = Uint8Array | number
type Columns = Record<string, { form: string; cells: readonly Cell[] }>

/** A file of one image of 4 by 2 pixels, in tiles of a row, or as `more` says. What stands in the heap is given as bytes. */
function tiled(bitpix: number, columns: Columns, more: Record<string, string | number> = {}): Uint8Array {
  const names = Object.keys(columns)
  const rows: Uint8Array[] = []
  const heap: Uint8Array[] = []
  let used = 0
  const many = Object.values(columns)[0]?.cells.length ?? 0
  for (let row = 0; row < many; row += 1) {
    for (const { cells } of Object.values(columns)) {
      const cell = cells[row] ?? 0
      if (typeof cell === 'number') rows.push(bigEndian(-64, [cell]))
      else {
        rows.push(bigEndian(32, [cell.length, used]))
        heap.push(cell)
        used += cell.length
      }
    }
  }
  const table = joined(...rows)
  const cards = {
    ...{ XTENSION: 'BINTABLE', BITPIX: 8, NAXIS: 2, NAXIS1: 8 * names.length, NAXIS2: many },
    ...{ PCOUNT: used, GCOUNT: 1, TFIELDS: names.length, ZIMAGE: true, ZCMPTYPE: 'RICE_1' },
    ...{ ZBITPIX: bitpix, ZNAXIS: 2, ZNAXIS1: 4, ZNAXIS2: 2 },
    ...Object.fromEntries(
      names.flatMap((name, at) => [
        [`TTYPE${at + 1}`, name],
        [`TFORM${at + 1}`, columns[name]?.form ?? ''],
      ]),
    ),
    ...more,
  }
  return joined(hdu(image(8, [])), hdu(cards, joined(table, ...heap)))
}

const read = async (bytes: Uint8Array) => {
  const one = readFits(bytes).hdus[1]
  if (one === undefined) throw new Error('no HDU')
  return [...(await readPlane(bytes, one)).values]
}

const rows = (bitpix: number, ...values: [number[], number[]]) =>
  values.map((row) => bigEndian(bitpix, row)) as [Uint8Array, Uint8Array]
const gz = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes))
const none = new Uint8Array(0)

describe('tiles', () => {
  it('are taken from the columns for what was not compressed', async () => {
    const [upper, lower] = rows(-32, [1.5, NaN, -3, 4], [5, 6, 7, 8])
    const bytes = tiled(-32, {
      COMPRESSED_DATA: { form: '1PB(0)', cells: [none, none] },
      GZIP_COMPRESSED_DATA: { form: '1PB(9)', cells: [gz(upper), none] },
      UNCOMPRESSED_DATA: { form: 'PB', cells: [none, lower] },
    })
    expect(await read(bytes)).toEqual([1.5, NaN, -3, 4, 5, 6, 7, 8])
  })

  it('say their scale, zero and blank by columns or by keywords', async () => {
    const cells = rows(32, [1, 2, -9, 4], [5, 6, 7, -9]).map(gz)
    const data = { form: '1PB', cells }
    const cards = { ZCMPTYPE: 'GZIP_1', ZBLANK: -9 }
    const [scale, zero] = [
      { form: '1D', cells: [0.5, 2] },
      { form: 'D', cells: [10, 0] },
    ]
    expect(await read(tiled(-32, { COMPRESSED_DATA: data, ZSCALE: scale, ZZERO: zero }, cards))).toEqual([
      ...[10.5, 11, NaN, 12],
      ...[10, 12, 14, NaN],
    ])
    const all = { ...cards, ZSCALE: 2, ZZERO: 1, ZQUANTIZ: 'NO_DITHER' }
    expect(await read(tiled(-64, { COMPRESSED_DATA: data }, all))).toEqual([3, 5, NaN, 9, 11, 13, 15, NaN])
  })

  it('may hold more bytes than BITPIX says, as old files do, and be scaled', async () => {
    const cells = rows(32, [1, 2, 3, 4], [5, 6, 7, -1]).map(gz)
    const more = { ZCMPTYPE: 'GZIP_1', BZERO: 32768, BLANK: -1 }
    const values = await read(tiled(16, { COMPRESSED_DATA: { form: '1PB', cells } }, more))
    expect(values).toEqual([32769, 32770, 32771, 32772, 32773, 32774, 32775, NaN])
  })

  it('of Rice code have the bytes of a pixel and the length of a block that are said', async () => {
    // The first pixel, then a block of 2 and one of 2: no differences, and all as they stand there (16 bits each).
    const cell = bitsOf(`00000000000001110000111100000000000000100000000000000001`)
    const more = { ZNAME1: 'BLOCKSIZE', ZVAL1: 2, ZNAME2: 'BYTEPIX', ZVAL2: 2 }
    const columns = { COMPRESSED_DATA: { form: '1PB', cells: [cell, cell] } }
    expect(await read(tiled(16, columns, more))).toEqual([7, 7, 8, 7, 7, 7, 8, 7])
    expect(await read(tiled(16, columns, { ...more, ZCMPTYPE: 'RICE_ONE' }))).toHaveLength(8)
  })

  it('of Rice code go round at the ends of their range', () => {
    const cell = bitsOf(`111111111110000001000000001`)
    expect([...unrice(cell, 2, 1, 2)]).toEqual([0, 255])
  })
})

const bitsOf = (bits: string) =>
  Uint8Array.from(
    bits
      .padEnd(Math.ceil(bits.length / 8) * 8, '0')
      .match(/.{8}/g)
      ?.map((byte) => parseInt(byte, 2)) ?? [],
  )

describe('tables that lie', () => {
  const cells = rows(16, [1, 2, 3, 4], [5, 6, 7, 8]).map(gz)
  const data = { form: '1PB', cells }
  const gzip = { ZCMPTYPE: 'GZIP_1' }

  it.each([
    ['no method', {}, { ZCMPTYPE: '' }, 'by an unnamed method'],
    ['a method of nobody', {}, { ZCMPTYPE: 'MAGIC' }, 'compressed by MAGIC'],
    ['another dither', {}, { ...gzip, ZBITPIX: -32, ZQUANTIZ: 'SUBTRACTIVE_DITHER_9' }, 'DITHER_9'],
    ['too few rows', {}, { ...gzip, ZNAXIS2: 3 }, '2 rows for 3 tiles'],
    ['a tile of nothing', {}, { ...gzip, ZTILE1: 0 }, 'ZTILE1'],
    ['a large image', {}, { ...gzip, ZNAXIS1: 16_000, ZNAXIS2: 16_000 }, 'more than are drawn'],
    [
      'a deep tile',
      {},
      { ...gzip, ZNAXIS: 3, ZNAXIS3: 2 ** 30, ZTILE2: 2, ZTILE3: 2 ** 30 },
      'Its tiles are',
    ],
    [
      'deep tiles in number',
      { COMPRESSED_DATA: { form: '1PB', cells: Array.from({ length: 2048 }, () => none) } },
      { ...gzip, ZNAXIS: 3, ZNAXIS1: 1024, ZNAXIS3: 2 ** 25, ZTILE1: 1, ZTILE3: 2 ** 25 },
      'for one plane more would be unpacked',
    ],
    ['many tiles', {}, { ...gzip, ZNAXIS1: 4000, ZNAXIS2: 4000, ZTILE1: 1, NAXIS2: 16e6 }, 'ends after'],
    ['a heap elsewhere', {}, { ...gzip, THEAP: 1e9 }, 'longer than its data'],
    ['no kind of number', {}, { ...gzip, ZBITPIX: 12 }, 'ZBITPIX 12'],
    ['no column', { COMPRESSED_DATA: { form: '8A', cells: [0, 0] } }, gzip, 'no column COMPRESSED_DATA'],
    ['an odd column', { COMPRESSED_DATA: { form: '9Z', cells } }, gzip, 'TFORM1'],
    ['a block of nothing', {}, { ZNAME1: 'BLOCKSIZE', ZVAL1: 0 }, 'BLOCKSIZE'],
    ['pixels of 3 bytes', {}, { ZNAME1: 'BYTEPIX', ZVAL1: 3 }, 'BYTEPIX'],
  ])('%s: listed with the reason', async (_name, columns: Columns, cards, reason) => {
    const bytes = tiled(16, { COMPRESSED_DATA: data, ...columns }, cards)
    expect(readFits(bytes).hdus[1]?.refusal).toContain(reason)
    await expect(read(bytes)).rejects.toThrow(reason)
  })

  it.each([
    ['empty', none, gzip, 'it is empty'],
    ['broken', Uint8Array.of(1, 2, 3), gzip, 'Its gzip is broken'],
    ['a bomb', gz(new Uint8Array(1e6)), gzip, 'longer than its pixels'],
    ['too short', gz(new Uint8Array(3)), gzip, '3 bytes for 4 pixels'],
    ['a long cell', new Uint8Array(9_000), gzip, 'more bytes than its pixels can need'],
    ['half of Rice code', Uint8Array.of(0, 0, 0, 1, 255), {}, 'its Rice code ends'],
    ['Rice code of reals', Uint8Array.of(0, 0, 0, 1, 0), { ZBITPIX: -32 }, 'without ZSCALE'],
    [
      'numbers of 16 bits for reals',
      bigEndian(16, [1, 2, 3, 4]),
      { ZCMPTYPE: 'NOCOMPRESS', ZBITPIX: -32 },
      '8 bytes',
    ],
  ])('tiles that are %s: named', async (_name, given, cards, reason) => {
    const reading = read(tiled(16, { COMPRESSED_DATA: { form: '1PB', cells: [given, given] } }, cards))
    await expect(reading).rejects.toThrow(/^Tile [12] cannot be unpacked: /)
    await expect(reading).rejects.toThrow(reason)
  })

  it('what takes long is given up when nobody wants it any more', async () => {
    // 64 tiles of 2^17 pixels, all of them zero.
    const cell = new Uint8Array(4 + (2 ** 17 / 32 / 8) * 5)
    const columns = { COMPRESSED_DATA: { form: '1PB', cells: Array.from({ length: 64 }, () => cell) } }
    const bytes = tiled(32, columns, { ZNAXIS: 3, ZNAXIS2: 64, ZNAXIS3: 2 ** 15, ZTILE3: 2 ** 15 })
    const one = readFits(bytes).hdus[1]
    if (one === undefined) throw new Error('no HDU')
    expect((await readPlane(bytes, one)).values).toEqual(new Float64Array(256))
    const closed = new AbortController()
    const reading = readPlane(bytes, one, 0, closed.signal)
    setTimeout(() => closed.abort())
    await expect(reading).rejects.toThrow('The file has been closed.')
  })

  it('places beyond the table are not gone to', async () => {
    for (const place of [
      [-1, 0],
      [4, -4],
      [4, 2 ** 30],
      [2 ** 30, 0],
    ]) {
      const bytes = tiled(16, { COMPRESSED_DATA: data }, gzip)
      bytes.set(bigEndian(32, place), 2 * 2880)
      await expect(read(bytes)).rejects.toThrow('beyond the data of its table')
    }
  })
})
