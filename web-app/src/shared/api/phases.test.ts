import { expect, it } from 'vitest'
import { standing, standingLine } from './phases'

it('says of a completed job how much of it has failed', () => {
  expect(standing('COMPLETED', 16)).toMatchObject({ word: 'Completed', part: '16 failed' })
  expect(standingLine('COMPLETED', 12_345)).toMatch(/^Completed, 12.345 failed$/)
})

it('says nothing of it where nothing has failed, nobody knows, or the phase says more', () => {
  expect(standingLine('COMPLETED', 0)).toBe('Completed')
  expect(standingLine('COMPLETED', null)).toBe('Completed')
  expect(standingLine('COMPLETED', undefined)).toBe('Completed')
  expect(standingLine('ERROR', 2)).toBe('Failed')
  expect(standingLine('EXECUTING', 2)).toBe('Running')
})
