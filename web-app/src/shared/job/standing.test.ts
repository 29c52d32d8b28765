import { expect, it } from 'vitest'
import { expectedEnd, tabTitle } from './standing'

it('tells in the title of a tab how a job is', () => {
  expect(tabTitle('m13', { phase: 'EXECUTING', jobInfo: { progressDone: 1, progressTotal: 3 } })).toBe(
    '▶ 33 % m13',
  )
  expect(tabTitle('m13', { phase: 'EXECUTING', jobInfo: {} })).toBe('▶ m13')
  expect(tabTitle('m13', { phase: 'COMPLETED', jobInfo: { progressDone: 3, progressTotal: 3 } })).toBe(
    '✓ m13',
  )
  expect(tabTitle('m13', { phase: 'COMPLETED', jobInfo: { progressFailed: 2 } })).toBe('⚠ m13')
  expect(tabTitle('m13', { phase: 'COMPLETED', jobInfo: { progressFailed: 0 } })).toBe('✓ m13')
  expect(tabTitle('m13', { phase: 'UNKNOWN', jobInfo: {} })).toBe('m13')
})

it('expects an end from how it has gone, and none too soon', () => {
  const job = (progressDone: number) => ({
    startTime: '2026-11-21T12:00:00Z',
    jobInfo: { progressDone, progressTotal: 100 },
  })
  const now = Date.parse('2026-11-21T12:00:10Z')
  expect(expectedEnd(job(25), now)).toBe(now + 30_000)
  expect(expectedEnd(job(0), now)).toBeUndefined()
  expect(expectedEnd(job(100), now)).toBeUndefined()
  expect(expectedEnd(job(25), now - 9_000)).toBeUndefined()
})
