import { expect, it } from 'vitest'
import type { ManifestRow } from '@/shared/api/results'
import { entriesOf, pointsOf } from './manifest'

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
