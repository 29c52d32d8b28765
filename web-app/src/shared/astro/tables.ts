/** Lists as text, VOTable or JSON, taken apart into cells; what a cell means is not looked at here. */

export type Form = 'text' | 'votable' | 'json'

export type Heading = { name: string; ucd?: string; unit?: string }

/** A row: its line in a text, or its number in a VOTable or in JSON, from 1. */
export type Line = { number: number; cells: string[] }

export type Table = {
  form: Form
  /** What the columns are called, if that is told beside the rows. */
  headings?: Heading[]
  lines: Line[]
  /** Of a text: what stands between cells. */
  delimiter?: string
  /** Why nothing can be read. */
  fault?: string
}

export function readTable(text: string): Table {
  const start = /^\uFEFF?\s*([<[{])/.exec(text)?.[1]
  if (start === '<') return readVotable(text)
  if (start !== undefined) return readJson(text)
  return readText(text)
}

function readText(text: string): Table {
  const lines: Line[] = []
  let delimiter: string | undefined
  text.split(/\r\n?|\n/).forEach((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    delimiter ??= delimiterOf(line)
    lines.push({ number: index + 1, cells: cellsOf(delimiter === '\t' ? line : trimmed, delimiter) })
  })
  return { form: 'text', lines, delimiter: delimiter ?? ',' }
}

const delimiterOf = (line: string) => ['\t', ',', ';', '|'].find((one) => line.includes(one)) ?? ' '

function cellsOf(line: string, delimiter: string): string[] {
  if (delimiter === ' ') return line.split(/\s+/)
  if (!line.includes('"')) return line.split(delimiter).map((cell) => cell.trim())
  const cells: string[] = []
  let cell = ''
  let inQuotes = false
  for (let at = 0; at < line.length; at += 1) {
    const char = line.charAt(at)
    if (char === '"' && inQuotes && line[at + 1] === '"') {
      cell += char
      at += 1
    } else if (char === '"') inQuotes = !inQuotes
    else if (char === delimiter && !inQuotes) {
      cells.push(cell.trim())
      cell = ''
    } else cell += char
  }
  return [...cells, cell.trim()]
}

const TOKEN = /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)(?:[\w.-]+:)?([\w.-]+)([^>]*?)(\/?)>|([^<]+)/g

/** The first table of a VOTable, if its rows are TABLEDATA. A worker has no parser of XML. */
function readVotable(text: string): Table {
  const headings: Heading[] = []
  const lines: Line[] = []
  let cells: string[] | undefined
  let cell: string | undefined
  let inTable = false
  for (const [, cdata, close, name, attributes = '', empty, words] of text.matchAll(TOKEN)) {
    if (name === undefined) {
      if (cell !== undefined) cell += cdata ?? decoded(words ?? '')
      continue
    }
    const tag = name.toUpperCase()
    if (close === '/') {
      if (tag === 'TD' && cell !== undefined) {
        cells?.push(cell.trim())
        cell = undefined
      } else if (tag === 'TR' && cells !== undefined) {
        lines.push({ number: lines.length + 1, cells })
        cells = undefined
      } else if (tag === 'TABLE') break
    } else if (tag === 'TABLE') inTable = true
    else if (!inTable) continue
    else if (tag === 'FIELD') headings.push(headingOf(attributes))
    else if (tag === 'TR') cells = []
    else if (tag === 'TD') {
      if (empty === '/') cells?.push('')
      else cell = ''
    } else if (tag === 'BINARY' || tag === 'BINARY2' || tag === 'FITS') {
      return {
        form: 'votable',
        lines: [],
        fault: `The rows of this VOTable are ${tag}: save it as TABLEDATA.`,
      }
    }
  }
  if (headings.length === 0) return { form: 'votable', lines: [], fault: 'This is no VOTable with a table.' }
  return { form: 'votable', headings, lines }
}

function headingOf(attributes: string): Heading {
  const at = (name: string) => {
    const found = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes)
    return found === null ? undefined : decoded(found[1] ?? found[2] ?? '').trim()
  }
  const heading: Heading = { name: at('name') ?? at('ID') ?? '' }
  const ucd = at('ucd')
  const unit = at('unit')
  if (ucd !== undefined) heading.ucd = ucd.toLowerCase()
  if (unit !== undefined) heading.unit = unit
  return heading
}

const entities = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
])

const decoded = (text: string) =>
  text.includes('&')
    ? text.replace(
        /&(?:#x([\da-f]{1,6})|#(\d{1,7})|(\w+));/gi,
        (all, hex?: string, number?: string, name?: string) => {
          if (name !== undefined) return entities.get(name) ?? all
          const point = hex === undefined ? Number(number) : parseInt(hex, 16)
          return point <= 0x10ffff ? String.fromCodePoint(point) : all
        },
      )
    : text

/** `[{"ra": …}, …]`, or `{"columns": […], "rows": [[…], …]}`. */
function readJson(text: string): Table {
  let read: unknown
  try {
    read = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return { form: 'json', lines: [], fault: 'This begins as JSON, and cannot be read as JSON.' }
  }
  if (isRecord(read)) {
    const { columns, rows } = read
    if (!Array.isArray(columns) || !Array.isArray(rows)) {
      return { form: 'json', lines: [], fault: 'Of an object, “columns” and “rows” are wanted.' }
    }
    const lines = rows.map((row: unknown, index) => ({
      number: index + 1,
      cells: Array.isArray(row) ? row.map(cellText) : [],
    }))
    return { form: 'json', headings: columns.map((name) => ({ name: cellText(name) })), lines }
  }
  if (!Array.isArray(read)) return { form: 'json', lines: [], fault: 'A list of objects is wanted.' }
  const names = new Map<string, number>()
  const lines = read.map((row: unknown, index) => {
    const cells: string[] = []
    for (const [name, value] of isRecord(row) ? Object.entries(row) : []) {
      if (!names.has(name)) names.set(name, names.size)
      cells[names.get(name) ?? 0] = cellText(value)
    }
    return { number: index + 1, cells: Array.from(cells, (cell: string | undefined) => cell ?? '') }
  })
  return { form: 'json', headings: [...names.keys()].map((name) => ({ name })), lines }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const cellText = (value: unknown): string =>
  typeof value === 'string'
    ? value.trim()
    : typeof value === 'number'
      ? String(value)
      : Array.isArray(value)
        ? value.map(cellText).join(';')
        : ''
