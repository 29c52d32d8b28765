import { parseDec, parseRa } from './coords'

/** A list of positions as people paste it: with commas, tabs or spaces, a header or none, ids or none. */

export type ListColumn = 'RA' | 'DEC' | 'OBJID' | 'XSIZE' | 'YSIZE' | 'BANDS'

export type ListRow = {
  /** In the text, from 1. */
  line: number
  cells: Partial<Record<ListColumn, string>>
  /** ICRS degrees; absent if they cannot be read. */
  ra?: number
  dec?: number
  /** Why the row cannot be sent. */
  problem?: string
  /** What may not be meant. */
  warning?: string
}

export type Fixes = {
  /** The columns of RA and Dec are the other way round. */
  swap?: boolean
  /** Decimal right ascensions are hours. */
  hours?: boolean
  /** Rows that cannot be read, and those that are there twice, are left out. */
  drop?: boolean
}

export type List = {
  rows: ListRow[]
  /** Columns that mean nothing here. */
  unused: string[]
  problems: number
  warnings: number
  /** What could mend the list; asked, never assumed. */
  offers: (keyof Fixes)[]
}

const names: Record<ListColumn, RegExp> = {
  RA: /^_?(ra|raj2000|ra_?deg|ra_?icrs|ra2000|alpha(_j2000)?|right_?ascension|ra_?hms)$/i,
  DEC: /^_?(dec|de|dej2000|decj2000|dec_?deg|de_?icrs|dec_?icrs|dec2000|delta(_j2000)?|declination|dec_?dms)$/i,
  OBJID: /^(objid|id|name|object|object_?name|target|source(_?id)?|main_?id)$/i,
  XSIZE: /^(xsize|size|width)$/i,
  YSIZE: /^(ysize|height)$/i,
  BANDS: /^(bands?|filters?)$/i,
}
const columns = Object.keys(names) as ListColumn[]

type Line = { number: number; cells: string[] }

export function parseList(text: string, fixes: Fixes = {}): List {
  const lines = split(text)
  const first = lines[0]
  if (first === undefined) return { rows: [], unused: [], problems: 0, warnings: 0, offers: [] }
  const { order, unused, header } = columnsOf(first, lines)
  const body = header ? lines.slice(1) : lines
  let rows = body.map((line) => rowOf(line, order, fixes))
  warnOfTwins(rows)
  const offers = offersFor(rows, order, fixes)
  if (fixes.drop === true) {
    rows = rows.filter(({ problem, warning }) => problem === undefined && warning === undefined)
  }
  const problems = rows.filter(({ problem }) => problem !== undefined).length
  const warnings = rows.filter(({ warning }) => warning !== undefined).length
  return { rows, unused, problems, warnings, offers }
}

/** The list as the server takes it: the canonical header, each value as it was written. */
export function toCsv(rows: readonly ListRow[]): string {
  const used = columns.filter(
    (column) => column === 'RA' || column === 'DEC' || rows.some(({ cells }) => (cells[column] ?? '') !== ''),
  )
  const lines = rows.map(({ cells }) => used.map((column) => quoted(cells[column] ?? '')).join(','))
  return [used.join(','), ...lines, ''].join('\n')
}

const quoted = (cell: string) => (/[",\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)

function split(text: string): Line[] {
  const lines: Line[] = []
  let delimiter: string | undefined
  text.split(/\r\n?|\n/).forEach((line, index) => {
    const trimmed = line.trim()
    if (trimmed === '' || trimmed.startsWith('#')) return
    delimiter ??= ['\t', ',', ';', '|'].find((one) => line.includes(one)) ?? ' '
    lines.push({ number: index + 1, cells: cellsOf(delimiter === '\t' ? line : trimmed, delimiter) })
  })
  return lines
}

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

type Order = { of: Partial<Record<ListColumn, number>>; triples?: boolean }

/** Which cell is what: by the header, or by what the first line looks like. */
function columnsOf(first: Line, lines: Line[]): { order: Order; unused: string[]; header: boolean } {
  const of: Order['of'] = {}
  const unused: string[] = []
  first.cells.forEach((cell, index) => {
    const column = columns.find((one) => of[one] === undefined && names[one].test(cell))
    if (column === undefined) unused.push(cell)
    else of[column] = index
  })
  if (of.RA !== undefined && of.DEC !== undefined) return { order: { of }, unused, header: true }

  const isAngle = (cell: string | undefined) => cell !== undefined && typeof parseRa(cell) !== 'string'
  // A header that names nothing we know is still none of the rows.
  const header = first.cells.every((cell) => /^[a-z_]/i.test(cell)) && lines.length > 1
  const example = (header ? lines[1] : first) ?? first
  const numbers = example.cells.filter((cell) => /^[+-−]?[\d.]+$/.test(cell)).length
  const start = isAngle(example.cells[0]) || !isAngle(example.cells[1]) ? 0 : 1
  const rest = example.cells.length - start
  if (numbers >= 6 && rest >= 6 && rest <= 7) {
    const order: Order = { of: { RA: start, DEC: start + 3 }, triples: true }
    if (start === 1) order.of.OBJID = 0
    else if (rest === 7) order.of.OBJID = 6
    return { order, unused: [], header }
  }
  if (start === 1)
    return { order: { of: { OBJID: 0, RA: 1, DEC: 2, XSIZE: 3, YSIZE: 4 } }, unused: [], header }
  const id = isAngle(example.cells[2]) ? {} : { OBJID: 2 }
  const size = 'OBJID' in id ? 3 : 2
  return { order: { of: { RA: 0, DEC: 1, ...id, XSIZE: size, YSIZE: size + 1 } }, unused: [], header }
}

function rowOf({ number, cells }: Line, { of, triples = false }: Order, fixes: Fixes): ListRow {
  const at = (column: ListColumn) => {
    const index = of[column]
    if (index === undefined) return undefined
    const angle = triples && (column === 'RA' || column === 'DEC')
    return angle ? cells.slice(index, index + 3).join(':') : cells[index]
  }
  const row: ListRow = { line: number, cells: {} }
  for (const column of columns) {
    const cell = at(column)
    if (cell !== undefined && cell !== '') row.cells[column] = cell
  }
  if (fixes.swap === true) {
    const { RA: ra = '', DEC: dec = '' } = row.cells
    row.cells.RA = dec
    row.cells.DEC = ra
  }
  if (fixes.hours === true && /^[\d.]+$/.test(row.cells.RA ?? '')) {
    row.cells.RA = String(Number((Number(row.cells.RA) * 15).toPrecision(14)))
  }
  const ra = row.cells.RA === undefined ? 'RA is missing' : parseRa(row.cells.RA)
  const dec = row.cells.DEC === undefined ? 'Dec is missing' : parseDec(row.cells.DEC)
  if (typeof ra === 'string') row.problem = ra
  else row.ra = ra.degrees
  if (typeof dec === 'string') row.problem ??= dec
  else row.dec = dec.degrees
  for (const column of ['XSIZE', 'YSIZE'] as const) {
    const size = row.cells[column]
    if (size !== undefined && !(Number(size) > 0)) row.problem ??= `${column} “${size}” is no number above 0`
  }
  return row
}

function warnOfTwins(rows: ListRow[]) {
  const seen = new Map<string, number>()
  for (const row of rows) {
    if (row.problem !== undefined || row.ra === undefined || row.dec === undefined) continue
    const { XSIZE = '', YSIZE = '', BANDS = '' } = row.cells
    // A tenth of a milliarcsecond: below what any image can tell apart.
    const key = [row.ra.toFixed(7), row.dec.toFixed(7), XSIZE, YSIZE, BANDS].join(' ')
    const twin = seen.get(key)
    if (twin === undefined) seen.set(key, row.line)
    else row.warning = `The same as line ${twin}`
  }
}

function offersFor(rows: readonly ListRow[], { of }: Order, fixes: Fixes): (keyof Fixes)[] {
  const offers: (keyof Fixes)[] = []
  const problems = rows.filter(({ problem }) => problem !== undefined)
  const swappable = problems.filter(
    ({ cells }) =>
      typeof parseRa(cells.DEC ?? '') !== 'string' && typeof parseDec(cells.RA ?? '') !== 'string',
  )
  if (fixes.swap === true || swappable.length > 0) offers.push('swap')
  const decimal = rows.filter(({ cells }) => /^[\d.]+$/.test(cells.RA ?? ''))
  const likeHours = decimal.length > 1 && decimal.every(({ cells }) => Number(cells.RA) < 24)
  if (fixes.hours === true || (of.RA !== undefined && likeHours)) offers.push('hours')
  if (fixes.drop === true || problems.length > 0 || rows.some(({ warning }) => warning !== undefined)) {
    offers.push('drop')
  }
  return offers
}
