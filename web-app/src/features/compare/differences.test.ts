import { describe, expect, it } from 'vitest'
import type { Job } from '@/shared/api/jobs'
import type { ManifestRow } from '@/shared/api/results'
import { objectLines, parameterLines } from './differences'

const row = (id: string, more: Partial<ManifestRow> = {}): ManifestRow => ({
  ...{ row: 1, id, ra: 10, dec: -30, image: 'a.fits', collection: 'maps', band: 'r', obs: 'n1', type: null },
  ...{
    hdu: null,
    status: 'ok',
    reason: null,
    message: null,
    coverage: 1,
    file: 'x.fits',
    size: 1,
    sha256: '00',
  },
  lightcurve: null,
  ...more,
})
const manifest = (...rows: ManifestRow[]) => ({ counts: { ok: 0, failed: 0 }, rows })
const failed = (reason: string) => ({ status: 'failed', reason, sha256: null, file: null }) as const

describe('cutouts of two jobs', () => {
  it.each([
    ['same', row('x'), row('renamed')],
    ['content', row('x'), row('x', { sha256: 'ff' })],
    ['mended', row('x', failed('cancelled')), row('x')],
    ['broken', row('x'), row('x', failed('cancelled'))],
    ['reason', row('x', failed('cancelled')), row('x', failed('too_large'))],
    ['same', row('x', failed('too_large')), row('x', failed('too_large'))],
  ] as const)('%s', (change, a, b) => {
    expect(objectLines({ a: manifest(a), b: manifest(b) }).map((line) => line.change)).toEqual([change])
  })

  it('of one alone, and differences before what is the same', () => {
    const a = manifest(row('same'), row('left', { image: 'b.fits' }))
    const b = manifest(row('same'), row('right', { ra: 11 }))
    expect(objectLines({ a, b }).map(({ id, change }) => [id, change])).toEqual([
      ['left', 'only a'],
      ['right', 'only b'],
      ['same', 'same'],
    ])
  })

  it('counts the same asked for twice as two', () => {
    const lines = objectLines({ a: manifest(row('x'), row('x')), b: manifest(row('x')) })
    expect(lines.map(({ change }) => change)).toEqual(['only a', 'same'])
  })
})

describe('parameters of two jobs', () => {
  it('differ by value, by being there, and by the text of what is told by its address', () => {
    const job = (...parameters: [string, string, boolean?][]) =>
      ({
        parameters: parameters.map(([id, value, byReference = false]) => ({ id, value, byReference })),
      }) as Job
    const a = job(
      ['SIZE', '2'],
      ['FORMAT', 'fits'],
      ['POSITIONS', 'http://x/a', true],
      ['BAND', 'r'],
      ['BAND', 'g'],
    )
    const b = job(['SIZE', '4'], ['POSITIONS', 'http://x/b', true], ['BAND', 'r'], ['BAND', 'g'])
    const list = new Map([['POSITIONS', 'RA,DEC\n1,2']])
    expect(parameterLines({ a, b }, { a: list, b: list })).toEqual([
      { name: 'FORMAT', a: 'fits', b: undefined, same: false },
      { name: 'SIZE', a: '2', b: '4', same: false },
      { name: 'BAND', a: 'r, g', b: 'r, g', same: true },
      { name: 'POSITIONS', a: 'RA,DEC\n1,2', b: 'RA,DEC\n1,2', same: true },
    ])
  })

  it('are not called different while a text has not been read, or cannot be', () => {
    const job = (address: string) =>
      ({ parameters: [{ id: 'POSITIONS', value: address, byReference: true }] }) as Job
    const jobs = { a: job('http://x/a'), b: job('http://x/b') }
    const list = new Map([['POSITIONS', 'RA,DEC']])
    expect(parameterLines(jobs, { a: list, b: new Map() }).map(({ same }) => same)).toEqual([undefined])
    expect(parameterLines(jobs, { a: list, b: list }).map(({ same }) => same)).toEqual([true])
    const none = { ...jobs, b: { parameters: [] as Job['parameters'] } as Job }
    expect(parameterLines(none, { a: new Map(), b: new Map() }).map(({ same }) => same)).toEqual([false])
  })

  it('tell several values from one that is written like them', () => {
    const job = (...values: string[]) =>
      ({ parameters: values.map((value) => ({ id: 'BAND', value, byReference: false })) }) as Job
    const lines = parameterLines({ a: job('r, g'), b: job('r', 'g') }, { a: new Map(), b: new Map() })
    expect(lines.map(({ same }) => same)).toEqual([false])
  })
})
