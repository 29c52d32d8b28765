/** Lists as text, VOTable or JSON, taken apart into cells; what a cell means is not looked at here. */
import { readVotable } from './votable'

export type Form = 'text' | 'votable' | 'json'

export type Heading = {
  name: string
  ucd?: string
  unit?: string
  /** What its coordinates refer to, if that is not ICRS or FK5 of J2000. */
  system?: string
}

/** A row: its line in a text, or its number in a VOTable or in JSON, from 1. */
export type Line = { number: number; cells: string[] }

export type Table = {
  form: Form
  /** What the columns are called, if that is told beside the rows. */
  headings?: Heading[]
  lines: Line[]
  /** Of a text: what stands between cells. */
  delimiter?: string
  /** Of a text: the cells of the last comment above the rows, which may be the header. */
  comment?: string[]
  /** Of a text: the units of columns, by their names. */
  units?: ReadonlyMap<string, string>
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
  const comments: string[] = []
  let delimiter: string | undefined
  text.split(/\r\n?|\n/).forEach((line, index) => {
    const trimmed = line.replace(/^\uFEFF/, '').trim()
    if (trimmed.startsWith('#')) {
      if (lines.length === 0) comments.push(trimmed.slice(1))
      return
    }
    const separator = /^"?sep=(.)"?[,;]*$/i.exec(trimmed)?.[1]
    if (lines.length === 0 && separator !== undefined) delimiter = separator
    else if (trimmed !== '') {
      delimiter ??= delimiterOf(line)
      const cells = cellsOf(delimiter === '\t' ? line : trimmed, delimiter)
      // Spreadsheets end with lines of nothing.
      if (cells.some((cell) => cell !== '')) lines.push({ number: index + 1, cells })
    }
  })
  delimiter ??= ','
  const table: Table = { form: 'text', lines, delimiter }
  const comment = comments.at(-1)?.trim()
  if (comment !== undefined && comment !== '') table.comment = cellsOf(comment, delimiter)
  const units = unitsBelow(lines) ?? (/^\s*%ECSV/.test(comments[0] ?? '') ? unitsOf(comments) : undefined)
  if (units !== undefined) table.units = units
  return table
}

/** Takes the units and the rule of dashes that VizieR and databases put below a header from the lines. */
function unitsBelow(lines: Line[]): Map<string, string> | undefined {
  const rule = [1, 2].find((at) => lines[at]?.cells.every((cell) => /^[-+=]+$/.test(cell)) === true)
  if (rule === undefined) return undefined
  const [units] = lines.splice(1, rule)
  if (rule === 1 || units === undefined) return new Map()
  return new Map(lines[0]?.cells.map((name, at) => [name, units.cells[at] ?? '']))
}

/** The units that the comments of ECSV, a document of YAML, have for columns. */
function unitsOf(comments: readonly string[]): Map<string, string> {
  const units = new Map<string, string>()
  let name = ''
  let ofColumns = false
  for (const line of comments) {
    if (/^ ?[a-z]/i.test(line)) ofColumns = /^ ?datatype:/.test(line)
    const entry = (key: string) => new RegExp(`[ {]${key}:\\s*["']?([^!,}"'\\s]+)`).exec(line)?.[1]
    name = entry('name') ?? name
    const unit = entry('unit')
    if (ofColumns && unit !== undefined) units.set(name, unit)
  }
  return units
}

const delimiterOf = (line: string) => ['\t', ',', ';', '|'].find((one) => line.includes(one)) ?? ' '

function cellsOf(line: string, delimiter: string): string[] {
  if (delimiter === ' ') {
    const words = line.trim().match(/"(?:[^"]|"")*"|\S+/g) ?? []
    return words.map((word) => (/^".*"$/.test(word) ? word.slice(1, -1).replaceAll('""', '"') : word))
  }
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

/** `[{"ra": …}, …]`, or `{"columns": […], "rows": [[…], …]}`. */
function readJson(text: string): Table {
  let read: unknown
  try {
    read = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return { form: 'json', lines: [], fault: 'This begins as JSON, and cannot be read as JSON.' }
  }
  // Manifests are such.
  if (
    isRecord(read) &&
    read['columns'] === undefined &&
    Array.isArray(read['rows']) &&
    read['rows'].some(isRecord)
  ) {
    read = read['rows']
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
