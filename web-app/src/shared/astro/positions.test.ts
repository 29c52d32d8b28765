import { describe, expect, it } from 'vitest'
import { parseList, toCsv } from './positions'

const read = (text: string, fixes = {}) =>
  parseList(text, fixes).rows.map(({ ra, dec, cells, problem }) => ({ ra, dec, id: cells.OBJID, problem }))

describe('parseList', () => {
  it('reads the CSV that the server documents', () => {
    const list = parseList('RA, DEC, OBJID, XSIZE, YSIZE, BANDS\n250.4226,36.4602,M13,2,3,90GHz\n')
    expect(list.rows[0]).toEqual({
      line: 2,
      ra: 250.4226,
      dec: 36.4602,
      cells: { RA: '250.4226', DEC: '36.4602', OBJID: 'M13', XSIZE: '2', YSIZE: '3', BANDS: '90GHz' },
    })
    expect(list).toMatchObject({ problems: 0, warnings: 0, unused: [], offers: [] })
  })

  it.each([
    ['spaces', '250.4226 36.4602'],
    ['tabs', '250.4226\t36.4602'],
    ['semicolons', '250.4226; 36.4602'],
    ['other names', 'ra_deg,flux,Dec_deg\n250.4226,7,36.4602'],
    ['comments and blank lines', '# mine\n\n250.4226,36.4602\r\n\r\n'],
  ])('reads %s', (_, text) => expect(read(text)).toMatchObject([{ ra: 250.4226, dec: 36.4602 }]))

  it.each([
    ['M13 250.4226 36.4602'],
    ['250.4226,36.4602,M13'],
    ['name,ra,dec\nM13,250.4226,36.4602'],
    ['"M13",250.4226,36.4602'],
    ['M13 16 41 41.424 +36 27 36.72'],
    ['16 41 41.424 +36 27 36.72 M13'],
  ])('finds the id in %s', (text) =>
    expect(read(text)).toEqual([
      { ra: expect.closeTo(250.4226, 4) as number, dec: expect.closeTo(36.4602, 4) as number, id: 'M13' },
    ]),
  )

  it('takes words with figures for words, not for numbers of an angle', () => {
    expect(read('M13 250.4 36.4 2 3 r1 x2')).toMatchObject([{ ra: 250.4, dec: 36.4, id: 'M13' }])
  })

  it('names the line and the fault of each bad row', () => {
    const list = parseList('RA,DEC\n10,20\n400,20\n10,abc\n10\n')
    expect(list.problems).toBe(3)
    expect(list.rows.map(({ line, problem }) => [line, problem])).toEqual([
      [2, undefined],
      [3, 'RA 400 is not within 0 and 360°'],
      [4, 'Dec “abc” is neither degrees nor d m s'],
      [5, 'Dec is missing'],
    ])
    expect(list.offers).toContain('drop')
    expect(parseList('RA,DEC\n10,20\n400,20\n', { drop: true }).rows).toHaveLength(1)
  })

  it('offers to swap columns, and swaps them', () => {
    const text = 'RA,DEC\n36.5,250.4\n-20,120'
    expect(parseList(text)).toMatchObject({ problems: 2, offers: ['swap', 'drop'] })
    expect(read(text, { swap: true })).toMatchObject([
      { ra: 250.4, dec: 36.5 },
      { ra: 120, dec: -20 },
    ])
  })

  it('offers hours where all right ascensions could be, and turns them to degrees', () => {
    const text = 'RA,DEC\n16.69484,36.46\n1.5,20'
    expect(parseList(text).offers).toEqual(['hours'])
    expect(read(text, { hours: true })[0]?.ra).toBeCloseTo(250.4226, 6)
  })

  it('warns of a position that is there twice', () => {
    const list = parseList('10,20\n10.0,20.0\n10,20.1')
    expect(list.warnings).toBe(1)
    expect(list.rows[1]?.warning).toBe('The same as line 1')
  })

  it('says which columns mean nothing', () => {
    expect(parseList('RA,DEC,flux,z\n1,2,3,4\n300,2,1,1').unused).toEqual(['flux', 'z'])
  })

  it('takes any text without failing', () => {
    for (const text of ['', '\n\n', ',,,\n,,', '"', '\t\t', 'M13', '💫,💫', '-,+', '1e400,1e400']) {
      expect(() => parseList(text)).not.toThrow()
    }
  })
})

describe('toCsv', () => {
  it('writes only columns that are used, values as they were, and is read back the same', () => {
    const { rows } = parseList('name\tra\tdec\n"a, b"\t16:41:41.4\t+36:27:36\nc\t1.10\t-2')
    const csv = toCsv(rows)
    expect(csv).toBe('RA,DEC,OBJID\n16:41:41.4,+36:27:36,"a, b"\n1.10,-2,c\n')
    expect(parseList(csv).rows.map(({ cells }) => cells)).toEqual(rows.map(({ cells }) => cells))
  })
})
