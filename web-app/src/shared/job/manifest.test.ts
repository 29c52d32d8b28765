import { expect, it } from 'vitest'
import type { ManifestRow } from '@/shared/api/results'
import { entriesOf, inOrder, noRetry, ofWhat, pointsOf } from './manifest'

const row = (number: number, status: ManifestRow['status'], ra: number | null = 10): ManifestRow => ({
  row: number,
  id: `J${number}`,
  ra,
  dec: ra,
  image: null,
  collection: null,
  band: null,
  obs: null,
  type: null,
  hdu: null,
  status,
  reason: null,
  message: null,
  coverage: null,
  file: null,
  size: null,
  sha256: null,
  lightcurve: null,
})

it('has one point for each position, bad only if nothing of it was cut', () => {
  const rows = [row(1, 'failed'), row(1, 'ok'), row(2, 'failed'), row(3, 'failed', null)]
  const points = pointsOf(entriesOf({ counts: { ok: 1, failed: 3 }, rows }))
  expect(points.map(({ id, tone }) => [id, tone])).toEqual([
    [1, 'good'],
    [3, 'bad'],
  ])
})

it('tells cutouts of one position apart', () => {
  expect(ofWhat({ ...row(1, 'ok'), band: '150GHz', obs: '3001', image: 'a.fits' })).toBe('150GHz, 3001')
  expect(ofWhat({ ...row(1, 'ok'), image: 'a.fits', type: 'T' })).toBe('a.fits, T')
  expect(ofWhat(row(1, 'ok'))).toBe('')
})

it('has files in the order of rows, not of their making', () => {
  const rows = [
    { ...row(1, 'ok'), file: 'star15_a.fits', lightcurve: 'star15_lightcurve.fits' },
    { ...row(2, 'ok'), file: 'star4_a10.fits' },
    { ...row(2, 'ok'), file: 'star4_a9.fits' },
  ]
  const made = [
    'star4_a10.fits',
    'star15_a.png',
    'star4_a9.fits',
    'manifest.json',
    'star15_lightcurve.csv',
    'star15_a.fits',
  ]
  const files = made.map((id) => ({ id }))
  expect(inOrder(files, { counts: { ok: 3, failed: 0 }, rows }).map(({ id }) => id)).toEqual([
    'manifest.json',
    'star15_a.fits',
    'star15_a.png',
    'star15_lightcurve.csv',
    'star4_a9.fits',
    'star4_a10.fits',
  ])
  expect(inOrder(files, undefined)).toBe(files)
})

it('offers to try again only what may fare better, and says why not', () => {
  const manifest = (reason: string | null) =>
    entriesOf({
      counts: { ok: 0, failed: 1 },
      rows: [{ ...row(1, reason === null ? 'ok' : 'failed'), reason }],
    })
  const done = { phase: 'COMPLETED' } as const
  expect(noRetry(done, manifest('source_unreadable'))).toBeUndefined()
  expect(noRetry(done, manifest('outside_footprint'))).toBe('what failed would fail again')
  expect(noRetry(done, manifest(null))).toBe('nothing has failed')
  const error = (type: 'transient' | 'fatal') => ({
    phase: 'ERROR' as const,
    errorSummary: { type, message: 'm', hasDetail: false },
  })
  expect(noRetry(error('transient'), undefined)).toBeUndefined()
  expect(noRetry(error('fatal'), undefined)).toBe('it would fail again')
})
