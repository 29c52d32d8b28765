/** From values to colours: limits, stretches and colour maps; the names and constants are those of the server. */

export const stretches = ['linear', 'sqrt', 'log', 'asinh'] as const
export type Stretch = (typeof stretches)[number]

export const colourMaps = ['grey', 'viridis', 'inferno', 'rdbu_r'] as const
export type ColourMap = (typeof colourMaps)[number]

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

// Viridis and inferno after those of matplotlib (CC0), red and blue after ColorBrewer: a colour every tenth.
const anchors: Record<ColourMap, string> = {
  grey: '000000 ffffff',
  viridis: '440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725',
  inferno: '000004 160b39 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4',
  rdbu_r: '053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f',
}

/** 256 colours, red, green and blue each. */
export function colourTable(map: ColourMap, invert = false): Uint8Array {
  const stops = anchors[map]
    .split(' ')
    .map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)))
  const table = new Uint8Array(256 * 3)
  for (let index = 0; index < 256; index += 1) {
    const at = ((invert ? 255 - index : index) / 255) * (stops.length - 1)
    const left = Math.min(Math.floor(at), stops.length - 2)
    for (let part = 0; part < 3; part += 1) {
      const [from, to] = [stops[left]?.[part] ?? 0, stops[left + 1]?.[part] ?? 0]
      table[index * 3 + part] = Math.round(from + (to - from) * (at - left))
    }
  }
  return table
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
