import { describe, expect, it } from 'vitest'
import type { Manifest, ManifestRow } from '@/shared/api/results'
import { askedFor, outcomeOf } from './words'

const given = (id: string, value: string, byReference = false) => ({ id, value, byReference })
const wordsOf = (id: string, value: string) => askedFor([given(id, value)])[0]

describe('what was asked for', () => {
  it('is each name once, in the order in which it was asked', () => {
    const asked = askedFor([given('BANDS', '90GHz'), given('SIZE', '2'), given('BANDS', '150GHz')])
    expect(asked.map(({ title, value }) => [title, value])).toEqual([
      ['Bands', '90GHz, 150GHz'],
      ['Size of the cutouts', '2 arcmin'],
    ])
  })

  it.each([
    ['2', '2 arcmin'],
    ['2,3', '2 × 3 arcmin'],
    ['30 arcsec', '30 arcsec'],
    ['0.5deg', '0.5 deg'],
    ['100, 200px', '100 × 200 pixels'],
    ['1e-2', '1e-2 arcmin'],
    ['large', 'large'],
  ])('has a size with its unit: %s', (value, words) => {
    expect(wordsOf('SIZE', value)?.value).toBe(words)
  })

  it('has positions as their number, and all of them for who wants to see them', () => {
    const list = 'RA,DEC,OBJID\n1,2,a\n3,4,b\n\n'
    expect(wordsOf('POSITIONS', list)).toMatchObject({ value: '2 positions', long: list })
    expect(wordsOf('POSITIONS', '# %ECSV 1.0\nra dec\n1 2\n')?.value).toBe('1 position')
  })

  it.each([
    ['a header in a comment', '# ra dec id\n1 2 a\n3 4 b\n'],
    ['comments among the rows', 'RA,DEC\n1,2\n  # a note\n3,4\n'],
    ['units and a rule below the header', '#INFO\nRAJ2000\tDEJ2000\ndeg\tdeg\n------\t------\n1\t2\n3\t4\n'],
    ['a line that says what separates', 'sep=;\nRA;DEC\n1;2\n3;4\n'],
    ['lines of nothing at the end', 'RA,DEC\r\n1,2\r\n3,4\r\n,\r\n'],
    ['JSON', '[{"ra": 1, "dec": 2}, {"ra": 3, "dec": 4}]'],
  ])('counts the positions of a list with %s', (_, list) => {
    expect(wordsOf('POSITIONS', list)).toMatchObject({ value: '2 positions', long: list })
  })

  it('counts nothing of a list that cannot be read', () => {
    expect(wordsOf('POSITIONS', '<VOTABLE/>')?.value).toBe('a list')
    expect(wordsOf('POSITIONS', '{"ra": 1}')?.value).toBe('a list')
  })

  it('names a file as one, whatever its address', () => {
    expect(askedFor([given('POSITIONS', 'http://sky/share/secret/x', true)])[0]).toEqual({
      name: 'POSITIONS',
      title: 'Positions',
      value: 'a file',
      isFile: true,
    })
  })

  it('leaves what it has no words for as it is, and folds what is long', () => {
    expect(wordsOf('SLEEP', '3')).toEqual({ name: 'SLEEP', title: 'SLEEP', value: '3' })
    expect(wordsOf('ID', 'sky/a.fits\n'.repeat(3))).toMatchObject({ value: '3 lines' })
    expect(wordsOf('X', 'a'.repeat(300))).toMatchObject({ value: '1 line', long: 'a'.repeat(300) })
  })

  it('shows characters that would hide what a text says', () => {
    expect(wordsOf('X', 'a\u202eb')?.value).toBe('a⟨U+202E⟩b')
  })

  it('says yes and no', () => {
    expect(wordsOf('PREVIEW', 'true')?.value).toBe('yes')
    expect(wordsOf('LIGHTCURVE', 'FALSE')?.value).toBe('no')
    expect(wordsOf('EDGE', 'pad')?.value).toBe('padded')
  })
})

const row = (status: ManifestRow['status'], reason: string | null = null) =>
  ({ status, reason }) as ManifestRow

describe('what came of it', () => {
  it('tells why rows have failed, most of them first', () => {
    const manifest: Manifest = {
      counts: { ok: 1, failed: 3 },
      rows: [
        row('failed', 'too_large'),
        row('ok'),
        row('failed', 'outside_footprint'),
        row('failed', 'outside_footprint'),
      ],
    }
    expect(outcomeOf(manifest)).toEqual({
      made: '1 cutout',
      failed: '3 failed',
      why: ['On no image: 2', 'Too large: 1'],
    })
  })

  it('has no word of failure where there is none', () => {
    expect(outcomeOf({ counts: { ok: 1200, failed: 0 }, rows: [row('ok')] })).toEqual({
      made: '1,200 cutouts',
      why: [],
    })
  })
})
