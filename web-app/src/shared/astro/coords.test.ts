import { describe, expect, it } from 'vitest'
import {
  aitoff,
  circleAround,
  distance,
  formatDec,
  formatRa,
  gnomonic,
  longitude,
  parseDec,
  parseRa,
} from './coords'

describe('parseRa', () => {
  it.each([
    ['250.4226', 250.4226, false],
    [' 0 ', 0, false],
    ['16:41:41.5', 250.42291666, true],
    ['16h41m41.5s', 250.42291666, true],
    ['16 41 41.5', 250.42291666, true],
    ['2.504e2', 250.4, false],
    ['187d30m00s', 187.5, true],
    ['250°25′21.36″', 250.4226, true],
    ['12h', 180, true],
    ['12:30.5', 187.625, true],
    ['16h 41m 41.424', 250.4226, true],
  ])('%s', (text, degrees, sexagesimal) => {
    const angle = parseRa(text)
    expect(angle).toEqual({ degrees: expect.closeTo(degrees, 6) as number, sexagesimal })
  })

  it.each([
    '',
    'M13',
    '361',
    '-1',
    '16:61:00',
    '25:00:00',
    'NaN',
    '16 4141.5',
    '12:',
    '1.5:30:00',
    '12:30:1:2',
  ])('refuses %s', (text) => expect(parseRa(text)).toBeTypeOf('string'))
})

describe('parseDec', () => {
  it.each([
    ['-0:30:00', -0.5],
    ['+36d27m36.7s', 36.460194],
    ['−45', -45],
    ['90', 90],
    ['-57°30′', -57.5],
    ['- 57 30 00', -57.5],
  ])('%s', (text, degrees) =>
    expect(parseDec(text)).toMatchObject({ degrees: expect.closeTo(degrees, 5) as number }),
  )

  it.each(['91', '-90:00:01', 'x', '12h30m'])('refuses %s', (text) =>
    expect(parseDec(text)).toBeTypeOf('string'),
  )
})

it('writes positions, carried over where seconds are rounded', () => {
  expect(formatRa(250.4226)).toBe('16h 41m 41.42s')
  expect(formatRa(359.99999999)).toBe('00h 00m 00.00s')
  expect([longitude(359.9999999, 6), longitude(12.5, 4)]).toEqual(['0.000000', '12.5000'])
  expect(formatDec(36.4602)).toBe('+36° 27′ 36.7″')
  expect(formatDec(-0.5)).toBe('−00° 30′ 00.0″')
})

it('has north up and east left', () => {
  const project = gnomonic({ ra: 10, dec: 0 })
  expect(project({ ra: 11, dec: 0 })?.[0]).toBeLessThan(0)
  expect(project({ ra: 10, dec: 1 })?.[1]).toBeCloseTo(1, 3)
  expect(project({ ra: 190, dec: 0 })).toBeUndefined()
  expect(aitoff(0)({ ra: 90, dec: 0 })[0]).toBeCloseTo(-90, 6)
  expect(aitoff(0)({ ra: 0, dec: 90 })[1]).toBeCloseTo(90, 6)
})

it('finds the middle across the meridian of zero', () => {
  const circle = circleAround([
    { ra: 359, dec: 10 },
    { ra: 1, dec: 10 },
  ])
  expect(Math.min(circle?.middle.ra ?? 99, 360 - (circle?.middle.ra ?? 99))).toBeCloseTo(0, 6)
  expect(circle?.radius).toBeCloseTo(distance({ ra: 0, dec: 10 }, { ra: 1, dec: 10 }), 2)
  expect(circleAround([])).toBeUndefined()
})
