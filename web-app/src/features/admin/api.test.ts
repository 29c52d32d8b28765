import { expect, it } from 'vitest'
import { dayTime } from './api'

it('turns days to times, and leaves out what is none', () => {
  expect(dayTime('2026-11-21')).toBe('2026-11-21T00:00:00.000Z')
  expect(dayTime('2026-12-31', 1)).toBe('2027-01-01T00:00:00.000Z')
  expect(dayTime(undefined)).toBeUndefined()
  expect(dayTime('soon')).toBeUndefined()
})
