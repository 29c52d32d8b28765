/** Rows of a VOTable as BINARY and BINARY2 (VOTable 1.4, sections 5.3 and 5.4). */

export type Field = { heading: { name: string }; datatype: string; arraysize: string }

type Kind = {
  /** Bits of a value. */
  bits: number
  /** A value as TABLEDATA would have it; without it nothing of what no column of a list is. */
  text?: (view: DataView, at: number) => string
}

const kinds = new Map<string, Kind>([
  ['boolean', { bits: 8 }],
  ['bit', { bits: 1 }],
  ['unsignedByte', { bits: 8, text: (view, at) => String(view.getUint8(at)) }],
  ['short', { bits: 16, text: (view, at) => String(view.getInt16(at)) }],
  ['int', { bits: 32, text: (view, at) => String(view.getInt32(at)) }],
  ['long', { bits: 64, text: (view, at) => String(view.getBigInt64(at)) }],
  ['char', { bits: 8 }],
  ['unicodeChar', { bits: 16 }],
  ['float', { bits: 32, text: (view, at) => floatText(view.getFloat32(at)) }],
  ['double', { bits: 64, text: (view, at) => String(view.getFloat64(at)) }],
  ['floatComplex', { bits: 64 }],
  ['doubleComplex', { bits: 128 }],
])
const decoders = new Map([
  ['char', new TextDecoder('utf-8')],
  ['unicodeChar', new TextDecoder('utf-16be')],
])

/** With so many figures as tell it from others of 32 bits. */
function floatText(value: number): string {
  for (let figures = 1; figures < 9; figures += 1) {
    const short = Number(value.toPrecision(figures))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}

type Layout = Kind & {
  decoder: TextDecoder | undefined
  /** How many values there are; each row tells if it is undefined. */
  count: number | undefined
}

function layoutOf({ datatype, arraysize }: Field): Layout | undefined {
  const kind = kinds.get(datatype)
  if (kind === undefined) return undefined
  const layout = { ...kind, decoder: decoders.get(datatype) }
  if (arraysize === '') return { ...layout, count: 1 }
  if (/^[^x]*\*$/.test(arraysize)) return { ...layout, count: undefined }
  if (!/^\d+(\s*x\s*\d+)*$/.test(arraysize)) return undefined
  return { ...layout, count: arraysize.split('x').reduce((all, side) => all * Number(side), 1) }
}

/** Longer arrays are no column of a list. */
const MOST_VALUES = 16

/** The texts of each row's values, or why they cannot be read. Rows that are `flagged` say first which are null. */
export function readBinary(stream: string, fields: readonly Field[], flagged: boolean): string[][] | string {
  const bytes = unbase64(stream)
  if (bytes === undefined) return 'The rows of this VOTable are no base64.'
  const layouts: Layout[] = []
  for (const field of fields) {
    const layout = layoutOf(field)
    if (layout === undefined)
      return `The column ${field.heading.name} is of datatype ${field.datatype || 'none'} and arraysize ${field.arraysize || 'none'}, which is not read: save it as TABLEDATA.`
    layouts.push(layout)
  }
  const view = new DataView(bytes.buffer)
  const rows: string[][] = []
  const flags = flagged ? Math.ceil(layouts.length / 8) : 0
  for (let at = 0; at < bytes.length;) {
    const row = readRow(bytes, view, layouts, at, flags)
    if (row === undefined || row.end === at) return `The VOTable ends within row ${rows.length + 1}.`
    rows.push(row.texts)
    at = row.end
  }
  return rows
}

function readRow(
  bytes: Uint8Array,
  view: DataView,
  layouts: readonly Layout[],
  start: number,
  flags: number,
): { texts: string[]; end: number } | undefined {
  const texts: string[] = []
  let at = start + flags
  for (const [index, { bits, text, decoder, count: fixed }] of layouts.entries()) {
    let count = fixed
    if (count === undefined) {
      if (at + 4 > bytes.length) return undefined
      count = view.getInt32(at)
      at += 4
    }
    const end = at + Math.ceil((count * bits) / 8)
    if (count < 0 || end > bytes.length) return undefined
    const isNull = flags > 0 && ((bytes[start + (index >> 3)] ?? 0) & (0x80 >> (index & 7))) !== 0
    const values: string[] = []
    if (!isNull && decoder !== undefined)
      values.push(decoder.decode(bytes.subarray(at, end)).split('\0', 1)[0] ?? '')
    else if (!isNull && text !== undefined && count <= MOST_VALUES)
      for (let value = 0; value < count; value += 1) values.push(text(view, at + (value * bits) / 8))
    texts.push(values.join(' ').trim())
    at = end
  }
  return at > bytes.length ? undefined : { texts, end: at }
}

/** Of how many characters a piece is decoded at once: whole groups of four. */
const PIECE = 1 << 16

function unbase64(stream: string): Uint8Array<ArrayBuffer> | undefined {
  const text = stream.replace(/\s+/g, '')
  if (text.length % 4 !== 0) return undefined
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  let at = 0
  try {
    for (let from = 0; from < text.length; from += PIECE) {
      const piece = atob(text.slice(from, from + PIECE))
      for (let index = 0; index < piece.length; index += 1, at += 1) bytes[at] = piece.charCodeAt(index)
    }
  } catch {
    return undefined
  }
  return at === bytes.length ? bytes : undefined
}
