import { describe, expect, it } from 'vitest'
import type { Manifest, ManifestRow } from '@/shared/api/results'
import { blinkSet, cutoutsOf, gridOf, neighbours, pictureOf } from './grid'

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
