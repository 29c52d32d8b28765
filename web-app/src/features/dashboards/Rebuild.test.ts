import { expect, test } from 'vitest'
import { followed } from './Rebuild'

const job = (jobId: string, phase: string, visible = true) => ({
  jobId,
  phase,
  visible,
  creationTime: '2026-11-21T12:00:00Z',
})

test('the rebuild that was asked for here is followed until it is over, and then any other that is not', () => {
  expect(followed([], undefined)).toBeUndefined()
  expect(followed([job('old', 'COMPLETED')], undefined)).toBeUndefined()
  // Before the list has it, and while another runs.
  expect(followed([job('other', 'EXECUTING')], 'own')).toBe('own')
  expect(followed([job('other', 'EXECUTING'), job('own', 'QUEUED')], 'own')).toBe('own')
  expect(followed([job('other', 'EXECUTING'), job('own', 'COMPLETED')], 'own')).toBe('other')
  expect(followed([job('own', 'COMPLETED')], 'own')).toBe('own')
})

test('a job that the caller may not see is not followed', () => {
  expect(followed([job('other', 'EXECUTING', false)], undefined)).toBeUndefined()
})
