/** Values that are drawn as the first and the last colour, by rules with names: those of the server's CUTS. */
import type { Limits } from './stretch'

export const rules = ['99.5%', '99%', '95%', 'zscale', 'minmax', 'symmetric'] as const

/** Finite values of an image, sorted: all, or about so many evenly spread over it. */
export function sampleOf(values: Float32Array | Float64Array, most = 200_000): Float64Array {
  // Not a divisor of widths that cameras have, so that it does not run along columns.
  const step = values.length <= most ? 1 : Math.ceil(values.length / most) | 1
  const sample = new Float64Array(Math.ceil(values.length / step))
  let count = 0
  for (let at = 0; at < values.length; at += step) {
    const value = values[at] ?? NaN
    if (Number.isFinite(value)) sample[count++] = value
  }
  return sample.subarray(0, count).sort()
}

/** The value below which this share of a sorted sample is, 0 to 1; between two it is interpolated. */
export function quantile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const left = Math.floor(at)
  const low = sorted[left] ?? NaN
  const high = sorted[Math.min(left + 1, sorted.length - 1)] ?? NaN
  return low + (high - low) * (at - left)
}

/** Limits as text: a rule, `P%`, or `LOW,HIGH`. Undefined if it is none of them. */
export function parseCuts(
  text: string,
): { share: number; symmetric: boolean } | Limits | 'zscale' | undefined {
  if (text === 'zscale') return text
  if (text === 'minmax') return { share: 1, symmetric: false }
  const percent = /^(symmetric)?\s*(?:(\d+(?:\.\d+)?)%)?$/.exec(text)
  if (percent !== null && text !== '') {
    const share = Number(percent[2] ?? '99.5') / 100
    return share > 0 && share <= 1 ? { share, symmetric: percent[1] !== undefined } : undefined
  }
  const [low = NaN, high = NaN, ...more] = text
    .split(',')
    .map((part) => (part.trim() === '' ? NaN : Number(part)))
  return more.length === 0 && Number.isFinite(low) && Number.isFinite(high) && low < high
    ? { low, high }
    : undefined
}

/** The limits that a text means for an image; of a text that means none, those of 99.5 %. */
export function limitsOf(text: string, sorted: Float64Array, values: Float32Array | Float64Array): Limits {
  const cuts = parseCuts(text) ?? { share: 0.995, symmetric: false }
  if (cuts !== 'zscale' && 'low' in cuts) return cuts
  if (sorted.length === 0) return { low: 0, high: 1 }
  if (cuts === 'zscale') return zscale(values) ?? limitsOf('99.5%', sorted, values)
  if (cuts.share === 1 && !cuts.symmetric) return extremes(values)
  const low = quantile(sorted, (1 - cuts.share) / 2)
  const high = quantile(sorted, (1 + cuts.share) / 2)
  if (!cuts.symmetric) return { low, high }
  const away = Math.max(Math.abs(low), Math.abs(high))
  return { low: -away, high: away }
}

/** Least and greatest finite value, of all pixels: a star of one pixel is not missed. */
export function extremes(values: Float32Array | Float64Array): Limits {
  let low = Infinity
  let high = -Infinity
  for (const value of values) {
    if (!Number.isFinite(value)) continue
    if (value < low) low = value
    if (value > high) high = value
  }
  return low <= high ? { low, high } : { low: 0, high: 1 }
}

/**
 * IRAF's zscale: a line is fitted to the sorted values of a sample, without outliers, and made steeper by the
 * contrast. Constants and rounding as in astropy.visualization. Undefined without a value.
 */
export function zscale(
  values: Float32Array | Float64Array,
  samples = 1_000,
  contrast = 0.25,
): Limits | undefined {
  const finite = values.filter(Number.isFinite)
  if (finite.length === 0) return undefined
  const stride = Math.max(1, Math.floor(finite.length / samples))
  const taken = Math.min(samples, Math.ceil(finite.length / stride))
  const sorted = Float64Array.from({ length: taken }, (_, index) => finite[index * stride] ?? 0).sort()
  const [low, high] = [sorted[0] ?? 0, sorted.at(-1) ?? 0]
  const least = Math.max(5, Math.floor(taken / 2))
  const grow = Math.max(1, Math.floor(taken * 0.01))
  let bad = new Uint8Array(taken)
  let good = taken
  let before = taken + 1
  let slope = 0
  for (let round = 0; round < 5 && good < before && good >= least; round += 1) {
    const fit = fitLine(sorted, bad)
    slope = fit.slope
    const flat = sorted.map((value, index) => value - (fit.at + fit.slope * index))
    const kept = flat.filter((_, index) => bad[index] === 0)
    const mean = kept.reduce((sum, value) => sum + value, 0) / kept.length
    const sigma = Math.sqrt(kept.reduce((sum, value) => sum + (value - mean) ** 2, 0) / kept.length)
    bad = dilate(
      bad.map((was, index) => (was !== 0 || Math.abs(flat[index] ?? 0) > 2.5 * sigma ? 1 : 0)),
      grow,
    )
    before = good
    good = bad.reduce((sum, one) => sum + 1 - one, 0)
  }
  if (good < least) return { low, high }
  const steep = slope / contrast
  const centre = Math.floor((taken - 1) / 2)
  const median = quantile(sorted, 0.5)
  return {
    low: Math.max(low, median - (centre - 1) * steep),
    high: Math.min(high, median + (taken - centre) * steep),
  }
}

function fitLine(sorted: Float64Array, bad: Uint8Array): { slope: number; at: number } {
  let [n, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0]
  sorted.forEach((value, index) => {
    if (bad[index] !== 0) return
    n += 1
    sx += index
    sy += value
    sxx += index * index
    sxy += index * value
  })
  const slope = n < 2 ? 0 : (n * sxy - sx * sy) / (n * sxx - sx * sx)
  return { slope, at: (sy - slope * sx) / n }
}

/** Marks also the neighbours of what is marked, in a window of this width. */
function dilate(marks: Uint8Array<ArrayBuffer>, width: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(marks.length)
  const shift = Math.floor((width - 1) / 2)
  marks.forEach((mark, index) => {
    if (mark === 0) return
    for (let at = index - shift; at < index - shift + width; at += 1)
      if (at >= 0 && at < out.length) out[at] = 1
  })
  return out
}
