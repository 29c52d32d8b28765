import { expect, it } from 'vitest'
import { isFiltered, toggled, typed } from './filter'

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
