/** From values to colours by limits and stretches, whose names and constants are those of the server. */
import { colourTable, type ColourMap } from './colours'

export const stretches = ['linear', 'sqrt', 'log', 'asinh'] as const
export type Stretch = (typeof stretches)[number]

export type Limits = { low: number; high: number }

const spread: Record<Stretch, (share: number) => number> = {
  linear: (share) => share,
  sqrt: Math.sqrt,
  log: (share) => Math.log1p(1000 * share) / Math.log1p(1000),
  asinh: (share) => Math.asinh(10 * share) / Math.asinh(10),
}

/** A share of 0 to 1, stretched; of a map that diverges from its middle both ways. */
export function stretched(stretch: Stretch, share: number, bothWays = false): number {
  if (!bothWays) return spread[stretch](share)
  const away = 2 * share - 1
  return (1 + Math.sign(away) * spread[stretch](Math.abs(away))) / 2
}

export type Paint = { limits: Limits; stretch: Stretch; map: ColourMap; invert: boolean }

/** Steps between the limits: so many that the steepest stretch skips no colour. */
const STEPS = 65_536

/** RGBA of an image, its last row first, as screens have it; what is undefined stays transparent. */
export function paint(
  { width, height, values }: { width: number; height: number; values: Float32Array | Float64Array },
  { limits: { low, high }, stretch, map, invert }: Paint,
): Uint8ClampedArray<ArrayBuffer> {
  const table = colourTable(map, invert)
  const index = new Uint8Array(STEPS)
  for (let step = 0; step < STEPS; step += 1)
    index[step] = Math.round(255 * stretched(stretch, step / (STEPS - 1), map === 'rdbu_r'))
  const span = high > low ? high - low : 1
  const out = new Uint8ClampedArray(width * height * 4)
  let at = 0
  for (let row = height - 1; row >= 0; row -= 1) {
    for (let from = row * width; from < (row + 1) * width; from += 1, at += 4) {
      const value = values[from] ?? NaN
      if (Number.isNaN(value)) continue
      const share = Math.min(1, Math.max(0, (value - low) / span))
      const colour = (index[Math.round(share * (STEPS - 1))] ?? 0) * 3
      out[at] = table[colour] ?? 0
      out[at + 1] = table[colour + 1] ?? 0
      out[at + 2] = table[colour + 2] ?? 0
      out[at + 3] = 255
    }
  }
  return out
}
