import { describe, expect, it } from 'vitest'
import { extremes, limitsOf, parseCuts, quantile, sampleOf, zscale } from './limits'
import { paint, stretched, stretches } from './stretch'

describe('stretches', () => {
  // LogStretch(1000), SqrtStretch(), AsinhStretch(0.1) of astropy 8.0.2 at 0.2.
  it.each([
    ['linear', 0.2],
    ['log', 0.7676209501511251],
    ['sqrt', 0.4472135954999579],
    ['asinh', 0.4814970397832952],
  ] as const)('%s is that of astropy', (stretch, expected) => {
    expect(stretched(stretch, 0.2)).toBeCloseTo(expected, 12)
  })

  it.each(stretches)('%s keeps the ends, and the middle of what diverges', (stretch) => {
    expect([0, 1].map((share) => stretched(stretch, share))).toEqual([0, 1])
    expect([0, 0.5, 1].map((share) => stretched(stretch, share, true))).toEqual([0, 0.5, 1])
    expect(stretched(stretch, 0.3, true) + stretched(stretch, 0.7, true)).toBeCloseTo(1, 12)
  })
})

describe('paint', () => {
  const plane = { width: 2, height: 2, values: Float32Array.of(0, 10, NaN, 5) }
  const grey = { limits: { low: 0, high: 10 }, stretch: 'linear', map: 'grey', invert: false } as const

  it('puts the last row of the file first, and leaves nothing where there is none', () => {
    const golden = [0, 0, 0, 0, 128, 128, 128, 255, 0, 0, 0, 255, 255, 255, 255, 255]
    expect([...paint(plane, grey)]).toEqual(golden)
  })

  it('inverts, and clips at the limits', () => {
    const limits = { low: 2, high: 5 }
    expect([...paint(plane, { ...grey, limits, invert: true })]).toEqual([
      ...[0, 0, 0, 0, 0, 0, 0, 255],
      ...[255, 255, 255, 255, 0, 0, 0, 255],
    ])
  })

  it('colours by the map: the ends of viridis', () => {
    const ends = paint(
      { width: 2, height: 1, values: Float64Array.of(-1, 1) },
      { ...grey, limits: { low: -1, high: 1 }, map: 'viridis' },
    )
    expect([...ends]).toEqual([0x44, 0x01, 0x54, 255, 0xfd, 0xe7, 0x25, 255])
  })

  it('draws an image of one value, and infinite ones', () => {
    const flat = { width: 3, height: 1, values: Float32Array.of(7, Infinity, -Infinity) }
    expect([...paint(flat, { ...grey, limits: { low: 7, high: 7 } })]).toEqual([
      ...[0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 0, 255],
    ])
  })
})

describe('limits', () => {
  const squares = Float64Array.from({ length: 11 }, (_, index) => index ** 2)

  it('of percentiles are those of numpy', () => {
    // numpy.percentile(arange(11)**2, [2.5, 97.5])
    const { low, high } = limitsOf('95%', squares, squares)
    expect(low).toBeCloseTo(0.25, 12)
    expect(high).toBeCloseTo(95.25, 12)
    expect(quantile(squares, 0.5)).toBe(25)
  })

  // ZScaleInterval().get_limits of astropy 8.0.2.
  it('of zscale are those of astropy', () => {
    const stars = Float64Array.from(
      { length: 5000 },
      (_, i) => ((i * 7919) % 1009) / 100 + (i % 97 === 0 ? 500 : 0),
    )
    const waves = Float64Array.from({ length: 900 }, (_, i) => Math.sin(i) * 3 + (i % 50 === 0 ? 40 : 0))
    const few = Float64Array.from({ length: 64 }, (_, i) => ((i * 31) % 64) ** 2)
    const near = ({ low = NaN, high = NaN } = {}, ...expected: [number, number]) => {
      expect(low).toBeCloseTo(expected[0], 9)
      expect(high).toBeCloseTo(expected[1], 9)
    }
    near(zscale(stars), 0.01, 25.538597633925683)
    near(zscale(waves), -2.9999710185185124, 15.375953780585657)
    near(zscale(few), 0, 3969)
  })

  it('as far below zero as above', () => {
    const values = Float64Array.of(-3, -1, 0, 1, 2)
    expect(limitsOf('symmetric 100%', values, values)).toEqual({ low: -3, high: 3 })
  })

  it('of nothing are some that can be drawn with', () => {
    const none = Float32Array.of(NaN, Infinity)
    const sorted = sampleOf(none)
    for (const rule of ['zscale', '99%', 'minmax', 'symmetric', 'nonsense'])
      expect(limitsOf(rule, sorted, none)).toEqual({ low: 0, high: 1 })
    expect(extremes(Float32Array.of(NaN, 2, -1, Infinity))).toEqual({ low: -1, high: 2 })
  })

  it('samples a large image, and does not run along a column', () => {
    const values = Float32Array.from({ length: 1_000_000 }, (_, index) => index % 1000)
    const sample = sampleOf(values, 10_000)
    expect(sample.length).toBeLessThanOrEqual(10_000)
    expect(new Set(sample).size).toBe(1000)
  })

  it.each([
    ['1,2', { low: 1, high: 2 }],
    ['-1e-3, 5', { low: -0.001, high: 5 }],
    ['99.5%', { share: 0.995, symmetric: false }],
    ['symmetric', { share: 0.995, symmetric: true }],
    ['minmax', { share: 1, symmetric: false }],
    ['zscale', 'zscale'],
    ['2,1', undefined],
    ['1,', undefined],
    ['1,2,3', undefined],
    ['0%', undefined],
    ['101%', undefined],
    ['', undefined],
    ['all', undefined],
  ])('%s as text', (text, expected) => {
    expect(parseCuts(text)).toEqual(expected)
  })
})
