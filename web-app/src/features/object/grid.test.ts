import { describe, expect, it } from 'vitest'
import type { Manifest, ManifestRow } from '@/shared/api/results'
import { beside, blinkSet, cutoutsOf, gridOf, neighbours, pictureOf, together } from './grid'

const row = (
  of: number,
  band: string | null,
  obs: string | null,
  status: 'ok' | 'failed' = 'ok',
): ManifestRow => ({
  ...{
    row: of,
    id: `object ${of}`,
    ra: 1,
    dec: 2,
    image: 'a.fits',
    collection: 'maps',
    band,
    obs,
    type: null,
  },
  ...{ hdu: null, status, reason: null, message: null, coverage: 1, size: 1, sha256: null, lightcurve: null },
  file: status === 'ok' ? `${of}_${band ?? ''}_${obs ?? ''}.fits` : null,
})
const manifest: Manifest = {
  counts: { ok: 5, failed: 1 },
  rows: [
    row(1, '220GHz', 'n10'),
    row(1, '90GHz', 'n2'),
    row(1, '90GHz', 'n10'),
    row(7, null, null),
    row(1, '220GHz', 'n2', 'failed'),
    row(3, '90GHz', 'n2'),
  ],
}

describe('the cutouts of a position', () => {
  const cutouts = cutoutsOf(manifest, 1)

  it('are in the order of bands and epochs, by number', () => {
    expect(cutouts.map(({ at, data }) => [at, data.band, data.obs])).toEqual([
      [1, '90GHz', 'n2'],
      [2, '90GHz', 'n10'],
      [3, '220GHz', 'n2'],
      [4, '220GHz', 'n10'],
    ])
    const grid = gridOf(cutouts)
    expect([grid.bands, grid.epochs]).toEqual([
      ['90GHz', '220GHz'],
      ['n2', 'n10'],
    ])
    expect(grid.cell('220GHz', 'n2').map(({ at }) => at)).toEqual([3])
  })

  it('without band and observation are by image', () => {
    const grid = gridOf(cutoutsOf(manifest, 7))
    expect([grid.bands, grid.epochs]).toEqual([['no band'], ['a.fits']])
  })

  it('blink with those of the band or of the epoch, never with what is not there', () => {
    const [first] = cutouts
    if (first === undefined) throw new Error('none')
    const at = (over: 'epochs' | 'bands' | 'all') => blinkSet(cutouts, first, over).map((one) => one.at)
    expect([at('epochs'), at('bands'), at('all')]).toEqual([[1, 2], [1], [1, 2, 4]])
  })
})

describe('many cutouts', () => {
  const many = (number: number, size = 1) =>
    cutoutsOf(
      {
        counts: { ok: number, failed: 0 },
        rows: Array.from({ length: number }, (_, at) => ({ ...row(1, 'r', `n${at}`), size })),
      },
      1,
    )
  const most = { number: 40, bytes: 1_000 }
  const numbers = (of: readonly { at: number }[]) => of.map(({ at }) => at)

  it('are looked at in parts that stay the same from one to the next', () => {
    const all = many(90)
    const parts = all.map((one) => numbers(together(all, one, most)))
    expect(new Set(parts.map(String)).size).toBe(3)
    parts.forEach((part, at) => {
      expect(part).toContain(at + 1)
      expect(part).toHaveLength(30)
    })
    expect(together(many(40), all[0] ?? never(), most)).toHaveLength(40)
    expect(together([], all[0] ?? never(), most)).toEqual([])
  })

  it('that are large are fewer at a time, and two at least', () => {
    const [large, huge] = [many(10, 200), many(10, 5_000)]
    expect(together(large, large[0] ?? never(), most)).toHaveLength(5)
    expect(numbers(together(huge, huge[3] ?? never(), most))).toEqual([3, 4])
  })

  it('come one after another, whatever is looked at together', () => {
    const all = many(90)
    const at = (number: number) => all[number - 1] ?? never()
    expect([beside(all, at(31), -1), beside(all, at(30), 1)]).toEqual([at(30), at(31)])
    expect([beside(all, at(1), -1), beside(all, at(90), 1)]).toEqual([at(90), at(1)])
    expect(beside(all.slice(5), at(1), 1)).toBe(at(6))
    expect(beside([], at(1), 1)).toBeUndefined()
  })
})

const never = (): never => {
  throw new Error('none')
}

describe('positions', () => {
  it('have others before and after', () => {
    expect(neighbours(manifest, 1)).toEqual({ after: 3 })
    expect(neighbours(manifest, 3)).toEqual({ before: 1, after: 7 })
    expect(neighbours(manifest, 7)).toEqual({ before: 3 })
  })

  it('have a picture if the job has made one', () => {
    const names = new Set(['a_r.png', 'b.fits'])
    expect(pictureOf(names, 'a_r.fits.fz')).toBe('a_r.png')
    expect(pictureOf(names, 'b.fits')).toBeUndefined()
  })
})
