import { expect, it } from 'vitest'
import { parseList } from '@/shared/astro/positions'
import { failureOf, liveEntries, liveTally, nameOf } from './live'

const { rows } = parseList('RA,DEC,OBJID\n1,2,a b\n3,4,a_b_c\n5,-6,\n7,8,late')

it('puts files to rows by their names, the longest first', () => {
  const results = [
    { id: 'a_b_90GHz_1.fits', size: 1 },
    { id: 'a_b_c_90GHz.fits', size: 2 },
    { id: `${nameOf(5, -6)}_map.fits.fz`, size: 3 },
    { id: 'a_b_90GHz_1.png', size: 4 },
    { id: 'elsewhere.fits', size: 5 },
  ]
  const entries = liveEntries(rows, results, [])
  expect(entries.map(({ key, status, data }) => [key, status, data.row, data.band, data.file])).toEqual([
    [1, 'ok', 1, '90GHz_1', 'a_b_90GHz_1.fits'],
    [2, 'ok', 2, '90GHz', 'a_b_c_90GHz.fits'],
    [3, 'ok', 3, 'map', 'J002000.00-060000.0_map.fits.fz'],
    [5, 'ok', 0, null, 'elsewhere.fits'],
    [1_000_003, 'waiting', 4, null, null],
  ])
})

it('keeps the numbers of files while more come', () => {
  const first = { id: 'late_x.fits', size: 1 }
  const before = liveEntries(rows, [first], [])
  const after = liveEntries(rows, [first, { id: 'a_b_x.fits', size: 1 }], [])
  expect(after[0]).toEqual(before[0])
})

it('reads failures off the log', () => {
  expect(failureOf('Row 2 (M (13)), no image: outside_footprint: on none of 3: images')).toEqual({
    row: 2,
    image: null,
    reason: 'outside_footprint',
    message: 'on none of 3: images',
  })
  expect(failureOf('Row 2 (far): the position lies on none')).toMatchObject({
    row: 2,
    message: 'the position lies on none',
  })
  expect(failureOf('Rows are many')).toBeUndefined()
  const failure = { row: 4, image: null, reason: 'outside_footprint', message: 'm' }
  const [failed] = liveEntries(rows, [], [failure]).filter(({ status }) => status === 'failed')
  expect(failed?.data).toMatchObject({ row: 4, id: 'late', ra: 7, message: 'm' })
})

it('counts cutouts alone while it runs, and nothing that it does not know', () => {
  const results = [
    { id: 'a_b_90GHz_1.fits', size: 1 },
    { id: 'a_b_90GHz_2.fits', size: 1 },
  ]
  const entries = liveEntries(rows, results, [])
  const jobInfo = { progressDone: 2, progressTotal: 12 }
  expect(liveTally(entries, jobInfo)).toEqual({ ok: 2, failed: 0, waiting: 10, all: 12 })
  expect(liveTally(entries, {})).toEqual({ ok: 2, failed: 0, waiting: undefined, all: undefined })
})
