import { expect, it } from 'vitest'
import { isFiltered, isReversed, toggled, typed, unfolded } from './filter'

it('takes words out of what is typed', () => {
  expect(typed('phase:error m13  service:echo deep')).toEqual({
    words: [
      ['phase', 'error'],
      ['service', 'echo'],
    ],
    rest: 'm13 deep',
  })
  expect(typed('plain words')).toEqual({ words: [], rest: 'plain words' })
  expect(typed('myphase:error')).toEqual({ words: [], rest: 'myphase:error' })
})

it('puts a value in and takes it out', () => {
  expect(toggled(undefined, 'a')).toEqual(['a'])
  expect(toggled(['a', 'b'], 'a')).toEqual(['b'])
  expect(toggled(['a'], 'a')).toBeUndefined()
})

it('knows a filter from none', () => {
  expect(isFiltered({})).toBe(false)
  expect(isFiltered({ q: undefined })).toBe(false)
  expect(isFiltered({ q: 'm13' })).toBe(true)
})

it('takes the words of the box out of an address too', () => {
  expect(unfolded({ q: 'phase:completed after:2026-11-01 m13' })).toEqual({
    q: 'm13',
    phase: ['COMPLETED'],
    after: '2026-11-01',
  })
  expect(unfolded({ q: 'phase:failed', phase: ['ABORTED'] })).toEqual({ phase: ['ABORTED', 'ERROR'] })
  expect(unfolded({ q: 'm13' })).toEqual({ q: 'm13' })
})

it('sees that two times stand the wrong way round', () => {
  expect(isReversed({ after: '2026-11-02', before: '2026-11-01' })).toBe(true)
  expect(isReversed({ after: '2026-11-01', before: '2026-11-02' })).toBe(false)
  expect(isReversed({ after: '2026-11-01' })).toBe(false)
})
