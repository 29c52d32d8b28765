import { expect, it } from 'vitest'
import { limitTexts, significant } from './figures'

it.each([
  [0, '0'],
  [-1.23456789, '−1.23457'],
  [0.1 + 0.2, '0.3'],
  [1e-7, '1.00000e−7'],
  [123456789.5, '1.23457e+8'],
  // Flags: the seventh figure is another bit.
  [1048577, '1048577'],
  [-2147483648, '−2147483648'],
  [1e30, '1.00000e+30'],
])('%d is told as %s', (value, text) => expect(significant(value)).toBe(text))

it.each([
  [{ low: -1.23456789, high: 5 }, ['-1.23457', '5']],
  [{ low: 1000000.1, high: 1000000.9 }, ['1000000.1', '1000000.9']],
  [{ low: 0, high: 0 }, ['0', '0']],
])('limits %j can be typed over', (limits, [low, high]) => expect(limitTexts(limits)).toEqual({ low, high }))
