import { expect, it } from 'vitest'
import { isFailure, lineReader, parseLine } from './log'

it('puts lines together from pieces', () => {
  const lines: string[] = []
  const take = lineReader((line) => lines.push(line))
  for (const piece of ['a', 'b\nc', '\n', '\nd']) take(piece)
  expect(lines).toEqual(['ab', 'c', ''])
})

it('takes the time off a line that has one', () => {
  expect(parseLine('2026-11-21T14:17:22.116Z 3 positions, 1 images', 1)).toEqual({
    number: 1,
    at: '2026-11-21T14:17:22.116Z',
    text: '3 positions, 1 images',
  })
  expect(parseLine('no time', 2)).toEqual({ number: 2, at: '', text: 'no time' })
})

it('knows lines of failures by their words', () => {
  const lines = [
    'Row 2 (far), no image: outside_footprint: x',
    '480 cutouts made, 3 rows failed',
    '3 positions',
  ]
  expect(lines.map((text, index) => isFailure(parseLine(text, index)))).toEqual([true, true, false])
})
