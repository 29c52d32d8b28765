import { expect, it } from 'vitest'
import { tabTitle } from './useEnding'

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
