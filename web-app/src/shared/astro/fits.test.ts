import { describe, expect, it } from 'vitest'
import { readFits, readPixels } from './fits'
import { FitsError, parseCard } from './header'
import { bigEndian, extension, hdu, image, joined } from './testing'

const pixelsOf = (bytes: Uint8Array, index = 0, plane = 0) => {
  const found = readFits(bytes).hdus[index]
  if (found === undefined) throw new Error('no such HDU')
  return readPixels(bytes, found, plane)
}

describe('cards', () => {
  it.each([
    ["OBJECT  = 'M 31''s   '           / name", 'OBJECT', "M 31's", 'name'],
    ['CRVAL1  =      2.504226D+02 / [deg]', 'CRVAL1', 250.4226, '[deg]'],
    ['SIMPLE  =                    T', 'SIMPLE', true, ''],
    ['BLANK   =               -32768', 'BLANK', -32768, ''],
    ['HIERARCH ESO DET CHIP = 3 / of four', 'ESO DET CHIP', 3, 'of four'],
    ["URL     = 'http://x/y'", 'URL', 'http://x/y', ''],
    ['COMMENT a = b / c', 'COMMENT', 'a = b / c', ''],
    ['UNDEF   =                      / nothing', 'UNDEF', undefined, 'nothing'],
    ['STRANGE = 0x12 / none of the kinds', 'STRANGE', '0x12', 'none of the kinds'],
  ])('%s', (text, keyword, value, comment) => {
    expect(parseCard(text.padEnd(80))).toEqual({ keyword, value, comment })
  })

  it('joins long strings', () => {
    const text = ["LONG    = 'first &'", "CONTINUE  'second &'", "CONTINUE  'third' / end", 'END']
    const bytes = new TextEncoder().encode(
      (
        card80([
          'SIMPLE  =                    T',
          'BITPIX  =                    8',
          'NAXIS   =                    0',
        ]) + card80(text)
      ).padEnd(2880),
    )
    expect(readFits(bytes).hdus[0]?.header.text('LONG')).toBe('first second third')
  })
})
describe('long strings without end', () => {
  it('are taken apart, so that reading them takes no longer than the file is', () => {
    const text = [
      "LONG    = 'first &'",
      ...Array<string>(40_000).fill("CONTINUE  '" + 'x'.repeat(66) + "&'"),
      'END',
    ]
    const cards = [
      'SIMPLE  =                    T',
      'BITPIX  =                    8',
      'NAXIS   =                    0',
      ...text,
    ]
    const body = card80(cards)
    const bytes = new TextEncoder().encode(body.padEnd(Math.ceil(body.length / 2880) * 2880))
    const { header } = readFits(bytes).hdus[0] ?? {}
    expect(header?.text('LONG')?.length).toBeLessThan(66_000)
    expect(header?.cards.length).toBeGreaterThan(40)
  })
})

const card80 = (cards: readonly string[]) => cards.map((text) => text.padEnd(80)).join('')

describe('pixels', () => {
  it.each([8, 16, 32, 64, -32, -64])('of BITPIX %d are those of the file', (bitpix) => {
    const values = bitpix === 8 ? [0, 1, 127, 128, 254, 255] : [-7, 0, 1, 100, -128, 32]
    const { width, height, values: read } = pixelsOf(hdu(image(bitpix, [3, 2]), bigEndian(bitpix, values)))
    expect([width, height, ...read]).toEqual([3, 2, ...values])
  })

  it('are scaled, also unsigned ones, and BLANK is none', () => {
    const unsigned = hdu(
      image(16, [2, 2], { BZERO: 32768, BLANK: -1 }),
      bigEndian(16, [-32768, 0, 32767, -1]),
    )
    expect([...pixelsOf(unsigned).values]).toEqual([0, 32768, 65535, NaN])
    const scaled = hdu(image(8, [2, 2], { BSCALE: 0.1, BZERO: 5 }), bigEndian(8, [0, 1, 2, 30]))
    expect([...pixelsOf(scaled).values]).toEqual([5, 5.1, 5.2, 8])
  })

  it('keep what an offset adds to them', () => {
    const far = hdu(image(16, [2, 2], { BZERO: 1e9 }), bigEndian(16, [0, 1, 2, 3]))
    expect([...pixelsOf(far).values]).toEqual([1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3])
    const real = hdu(image(-32, [2, 2], { BZERO: 0.1 }), bigEndian(-32, [0, 1, 2, 4]))
    expect([...pixelsOf(real).values]).toEqual([0.1, 1.1, 2.1, 4.1])
  })

  it('takes BLANK of real numbers for nothing', () => {
    expect([
      ...pixelsOf(hdu(image(-32, [2, 2], { BLANK: 1 }), bigEndian(-32, [1, NaN, 2, Infinity]))).values,
    ]).toEqual([1, NaN, 2, Infinity])
  })

  it('of an extension, and of a plane of a cube', () => {
    const bytes = joined(
      hdu(image(8, [])),
      hdu(extension(-32, [2, 2, 2], { EXTNAME: 'SCI' }), bigEndian(-32, [1, 2, 3, 4, 5, 6, 7, 8])),
      hdu(extension(16, [2, 2], { EXTNAME: 'WHT' }), bigEndian(16, [9, 8, 7, 6])),
    )
    const { hdus, fault } = readFits(bytes)
    expect(fault).toBeUndefined()
    expect(hdus.map(({ name, refusal }) => [name, refusal === undefined])).toEqual([
      ['primary', false],
      ['SCI', true],
      ['WHT', true],
    ])
    expect([...pixelsOf(bytes, 1, 1).values]).toEqual([5, 6, 7, 8])
    expect([...pixelsOf(bytes, 2).values]).toEqual([9, 8, 7, 6])
    expect(() => pixelsOf(bytes, 1, 2)).toThrow('no plane 3')
  })
})

describe('hostile files', () => {
  const good = () => bigEndian(-32, [1, 2, 3, 4])

  it.each([
    ['nothing', new Uint8Array(0), 'does not begin with SIMPLE'],
    ['text', new TextEncoder().encode('<html>'.padEnd(5760)), 'does not begin with SIMPLE'],
    ['no END', hdu(image(8, [2, 2]), new Uint8Array(0), false), 'there is no END'],
    ['half a header', hdu(image(8, [2, 2])).subarray(0, 1000), 'there is no END'],
    ['NAXIS of millions', hdu({ SIMPLE: true, BITPIX: 8, NAXIS: 1_000_000_000 }), 'NAXIS of HDU 0'],
    ['NAXIS below zero', hdu({ SIMPLE: true, BITPIX: 8, NAXIS: -1 }), 'NAXIS of HDU 0'],
    ['an axis below zero', hdu(image(8, [-5, 5])), 'NAXIS1 of HDU 0'],
    ['half an axis', hdu(image(8, [2.5, 2])), 'NAXIS1 of HDU 0'],
    ['no axis', hdu({ SIMPLE: true, BITPIX: 8, NAXIS: 2 }), 'NAXIS1 of HDU 0'],
    ['an odd kind', hdu(image(24, [2, 2])), 'BITPIX 24'],
    ['a text for a number', hdu({ SIMPLE: true, BITPIX: 'eight', NAXIS: 0 }), 'BITPIX of HDU 0'],
    ['more than any file', hdu(image(-64, [2 ** 39, 2 ** 39])), 'larger than any file'],
    ['PCOUNT below zero', hdu(image(8, [2, 2], { PCOUNT: -4 })), 'PCOUNT'],
  ])('%s: refused by a sentence', (_name, bytes, message) => {
    expect(() => readFits(bytes)).toThrow(FitsError)
    expect(() => readFits(bytes)).toThrow(message)
  })

  it.each([
    ['truncated', hdu(image(-32, [2, 2]), good()).subarray(0, 2880 + 15), 'ends after 15 of its 16 bytes'],
    ['claims of terabytes', hdu(image(8, [16_000, 2_000]), good()), 'ends after 2880 of its 32000000 bytes'],
    ['too large to draw', hdu(image(8, [16_000, 16_000])), 'more than are drawn'],
    ['a line', hdu(image(8, [100])), 'single axis'],
    ['nothing in it', hdu(image(8, [])), 'no pixels'],
    ['random groups', hdu(image(8, [0, 4, 4], { GROUPS: true, GCOUNT: 2 })), 'random groups'],
  ])('%s: listed, not drawn', (_name, bytes, message) => {
    const [first] = readFits(bytes).hdus
    expect(first?.refusal).toContain(message)
    expect(() => pixelsOf(bytes)).toThrow(message)
  })

  it('names how an image is compressed, and what a table is', () => {
    const table = { XTENSION: 'BINTABLE', BITPIX: 8, NAXIS: 2, NAXIS1: 8, NAXIS2: 1, PCOUNT: 0, GCOUNT: 1 }
    const of = { ZBITPIX: 16, ZNAXIS: 2, ZNAXIS1: 4, ZNAXIS2: 4 }
    const bytes = joined(
      hdu(image(8, [])),
      hdu({ ...table, ...of, ZIMAGE: true, ZCMPTYPE: 'HCOMPRESS_1' }, new Uint8Array(8)),
      hdu({ ...table, ZIMAGE: true, ZCMPTYPE: 'RICE_1' }, new Uint8Array(8)),
      hdu(table, new Uint8Array(8)),
    )
    const [, method, nothing, plain] = readFits(bytes).hdus
    expect([method?.refusal, method?.axes]).toEqual([
      expect.stringContaining('compressed by HCOMPRESS_1'),
      [4, 4],
    ])
    expect(nothing?.refusal).toContain('ZBITPIX of HDU 2')
    expect(plain?.refusal).toContain('a table (BINTABLE)')
  })

  it('ends with the header that has too many cards', () => {
    const long = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [`K${index}`, 1]))
    const part = hdu(extension(8, [2, 2], long), new Uint8Array(4))
    const { hdus, fault } = readFits(joined(hdu(image(8, [])), ...Array<Uint8Array>(10).fill(part)))
    expect([hdus.length, fault]).toEqual([7, expect.stringContaining('more than 400000 cards') as string])
  })

  it('keeps what is before a fault, and ignores what is no HDU', () => {
    const first = hdu(image(-32, [2, 2]), good())
    const broken = readFits(joined(first, hdu(extension(8, [-1, 2]))))
    expect([broken.hdus.length, broken.fault]).toEqual([
      1,
      expect.stringContaining('NAXIS1 of HDU 1') as string,
    ])
    expect(readFits(joined(first, new Uint8Array(2880))).hdus).toHaveLength(1)
    const claims = readFits(joined(hdu(image(8, [2 ** 30, 4])), hdu(extension(8, [2, 2]))))
    expect(claims.hdus).toHaveLength(1)
  })
})
