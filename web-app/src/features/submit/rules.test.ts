import { expect, it } from 'vitest'
import { hindrance } from './rules'

it.each([
  ['RGB', {}, true],
  ['RGB', { PREVIEW: ['true'] }, false],
  ['RGB', { PREVIEW: ['true'], FORMAT: ['png'] }, true],
  ['CUTS', {}, true],
  ['CUTS', { FORMAT: ['png'] }, false],
  ['STRETCH', {}, true],
  ['STRETCH', { PREVIEW: ['true'], RGB: ['a,b,c'] }, false],
  ['LIGHTCURVE', { POSITIONS: [' '] }, true],
  ['LIGHTCURVE', { CIRCLE: ['1 2 3'] }, false],
  ['SIZE', { CIRCLE: ['1 2 3'] }, true],
  ['EDGE', {}, false],
] satisfies [string, Record<string, string[]>, boolean][])('%s beside %o', (name, values, hindered) => {
  expect(hindrance('cutout', name, values) !== undefined).toBe(hindered)
})

it('knows nothing of other services', () => expect(hindrance('echo', 'RGB', {})).toBeUndefined())
