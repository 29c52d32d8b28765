import { expect, it } from 'vitest'
import { parseLimit } from './limits'

it.each([
  ['', null],
  ['  ', null],
  ['0', 0],
  ['12', 12],
  ['2 GiB', 2 * 1024 ** 3],
  ['1.5k', 1536],
  ['10MB', 10 * 1024 ** 2],
] as const)('reads “%s”', (text, limit) => expect(parseLimit(text)).toBe(limit))

it.each(['-1', 'many', '1.5', '5 PiB', '1e9'])('refuses “%s”', (text) =>
  expect(parseLimit(text)).toBeTypeOf('string'),
)
