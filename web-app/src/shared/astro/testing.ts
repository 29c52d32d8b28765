/** Small FITS files for tests. */

type Value = string | number | boolean

const card = (keyword: string, value: Value) => {
  const text =
    typeof value === 'string'
      ? `'${value}'`
      : typeof value === 'boolean'
        ? value
          ? 'T'
          : 'F'
        : String(value)
  return `${keyword.padEnd(8)}= ${typeof value === 'string' ? text : text.padStart(20)}`.padEnd(80)
}

const fill = (text: string) => text.padEnd(Math.ceil(text.length / 2880) * 2880)

/** An HDU: its cards, and its data filled up to whole blocks. */
export function hdu(
  cards: Record<string, Value>,
  data: Uint8Array = new Uint8Array(0),
  end = true,
): Uint8Array {
  const text = Object.entries(cards)
    .map(([keyword, value]) => card(keyword, value))
    .join('')
  const header = new TextEncoder().encode(fill(text + (end ? 'END'.padEnd(80) : '')))
  const out = new Uint8Array(header.length + Math.ceil(data.length / 2880) * 2880)
  out.set(header)
  out.set(data, header.length)
  return out
}

export function joined(...parts: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Numbers as FITS has them: the first byte is the greatest. */
export function bigEndian(bitpix: number, values: readonly number[]): Uint8Array {
  const step = Math.abs(bitpix) / 8
  const view = new DataView(new ArrayBuffer(values.length * step))
  values.forEach((value, index) => {
    const at = index * step
    if (bitpix === 8) view.setUint8(at, value)
    else if (bitpix === 16) view.setInt16(at, value)
    else if (bitpix === 32) view.setInt32(at, value)
    else if (bitpix === 64) view.setBigInt64(at, BigInt(value))
    else if (bitpix === -32) view.setFloat32(at, value)
    else view.setFloat64(at, value)
  })
  return new Uint8Array(view.buffer)
}

export const image = (bitpix: number, axes: readonly number[], more: Record<string, Value> = {}) => ({
  SIMPLE: true,
  BITPIX: bitpix,
  NAXIS: axes.length,
  ...Object.fromEntries(axes.map((length, axis) => [`NAXIS${axis + 1}`, length])),
  ...more,
})

export const extension = (bitpix: number, axes: readonly number[], more: Record<string, Value> = {}) => {
  const entries = Object.entries(image(bitpix, axes)).filter(([keyword]) => keyword !== 'SIMPLE')
  return { XTENSION: 'IMAGE   ', ...Object.fromEntries(entries), PCOUNT: 0, GCOUNT: 1, ...more }
}
