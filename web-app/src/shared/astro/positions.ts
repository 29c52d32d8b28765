import { parseDec, parseRa } from './coords'
import { readTable, type Form, type Heading, type Line, type Table } from './tables'

/**
 * A list of positions as people paste it: with commas, tabs or spaces, a header or none, ids or none; or a VOTable,
 * or JSON.
 */

export type ListColumn = 'RA' | 'DEC' | 'OBJID' | 'XSIZE' | 'YSIZE' | 'BANDS'

export type ListRow = {
  /** In the text, from 1; of a VOTable or JSON the number of the row. */
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
  form: Form
  rows: ListRow[]
  /** Why nothing can be read. */
  fault?: string
  /** Columns that mean nothing here. */
  unused: string[]
  problems: number
  warnings: number
  /** What could mend the list; asked, never assumed. */
  offers: (keyof Fixes)[]
}

/** What columns are called, as the server knows them; the first is preferred. */
const names: Record<ListColumn, readonly string[]> = {
  RA: [
    'ra',
    '_raj2000',
    '_ra.icrs',
    '_ra_icrs',
    'ra_icrs',
    'raj2000',
    'ra_j2000',
    'ra2000',
    'alpha_j2000',
    'alphawin_j2000',
    'ra_deg',
    'radeg',
    'ra_hms',
    'right_ascension',
    'rightascension',
  ],
  DEC: [
    'dec',
    '_dej2000',
    '_de.icrs',
    '_de_icrs',
    'de_icrs',
    'dec_icrs',
    'dej2000',
    'decj2000',
    'dec_j2000',
    'de2000',
    'dec2000',
    'delta_j2000',
    'deltawin_j2000',
    'dec_deg',
    'de_deg',
    'decdeg',
    'dedeg',
    'dec_dms',
    'declination',
    'de',
  ],
  OBJID: ['objid', 'id', 'name', 'source_id', 'main_id', 'object', 'object_name', 'target'],
  XSIZE: ['xsize', 'size'],
  YSIZE: ['ysize'],
  BANDS: ['bands'],
}
const columns = Object.keys(names) as ListColumn[]

const ucds: Partial<Record<ListColumn, readonly string[]>> = {
  RA: ['pos.eq.ra;meta.main', 'pos_eq_ra_main', 'pos.eq.ra'],
  DEC: ['pos.eq.dec;meta.main', 'pos_eq_dec_main', 'pos.eq.dec'],
  OBJID: ['meta.id;meta.main'],
}

export function parseList(text: string, fixes: Fixes = {}): List {
  const table = readTable(text)
  const { order, unused, header, fault } = columnsOf(table)
  const list = { form: table.form, unused, problems: 0, warnings: 0, offers: [], rows: [] }
  if (fault !== undefined) return { ...list, fault }
  const body = header ? table.lines.slice(1) : table.lines
  let rows = body.map((line) => rowOf(line, order, fixes))
  warnOfTwins(rows)
  const offers = offersFor(rows, order, fixes)
  if (fixes.drop === true) {
    rows = rows.filter(({ problem, warning }) => problem === undefined && warning === undefined)
  }
  const problems = rows.filter(({ problem }) => problem !== undefined).length
  const warnings = rows.filter(({ warning }) => warning !== undefined).length
  return { ...list, rows, problems, warnings, offers }
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

type Order = {
  of: Partial<Record<ListColumn, number>>
  /** Angles are three cells each. */
  triples?: boolean
  /** What sizes without a unit are in, if that is not arcminutes. */
  suffix?: string
}
type Found = { order: Order; unused: string[]; header: boolean; fault?: string }

/** Which cell is what: by what the columns are called, or by what the first line looks like. */
export function columnsOf({ headings, lines, comment, units, fault }: Table): Found {
  const none = { order: { of: {} }, unused: [], header: false }
  if (fault !== undefined) return { ...none, fault }
  if (headings !== undefined) return columnsNamed(headings)
  const [first] = lines
  if (first === undefined) return none
  const headingsOf = (cells: readonly string[]) => cells.map((cell) => headingNamed(cell, units))
  const named = columnsNamed(headingsOf(first.cells))
  if (named.fault === undefined || named.order.of.RA !== undefined) return { ...named, header: true }
  if (comment?.length === first.cells.length) {
    const above = columnsNamed(headingsOf(comment))
    if (above.fault === undefined) return above
  }
  return columnsByLooks(first, lines)
}

/** A column of which a header says the name, and perhaps the unit in brackets. */
function headingNamed(cell: string, units: ReadonlyMap<string, string> | undefined): Heading {
  const [, name = cell, bracketed] = /^(\S+)\s*[([](.+)[)\]]$/.exec(cell) ?? []
  const unit = units?.get(cell) ?? (/^(j2000(\.0)?|icrs|fk5)$/i.test(bracketed ?? '') ? undefined : bracketed)
  return unit === undefined ? { name } : { name, unit }
}

const isAngular = (unit: string) => /^(arcmin|arcsec|deg(rees?)?|px|pix(els?)?)?$/i.test(unit)

function columnsNamed(headings: readonly Heading[]): Found {
  const of: Order['of'] = {}
  // Of a manifest, SIZE is that of files.
  const ofFiles = headings.some(({ name }) => /^sha256$/i.test(name))
  for (const column of columns) {
    const isSize = column === 'XSIZE' || column === 'YSIZE'
    const known = names[column].filter((name) => !(ofFiles && name === 'size'))
    const called = (name: string) =>
      headings.findIndex(
        (heading) => heading.name.toLowerCase() === name && (!isSize || isAngular(heading.unit ?? '')),
      )
    let at = known.map(called).find((found) => found >= 0) ?? -1
    for (const ucd of ucds[column] ?? []) {
      const meant = headings.findIndex((heading) => heading.ucd === ucd)
      // What a table says to be its names is, unless a column is called OBJID.
      const isMain = column === 'OBJID' && meant >= 0 && called('objid') < 0
      if (at < 0 || isMain) at = meant
    }
    if (at >= 0) of[column] = at
  }
  const used = new Set(Object.values(of))
  const unused = headings.filter((_, index) => !used.has(index)).map(({ name }) => name)
  const found: Found = { order: { of }, unused, header: false }
  if (of.RA === undefined || of.DEC === undefined) {
    return { ...found, fault: `There is no column ${of.RA === undefined ? 'RA' : 'Dec'}.` }
  }
  for (const column of ['RA', 'DEC'] as const) {
    const { name = '', unit = '', system } = headings[of[column] ?? 0] ?? {}
    if (!/^(deg(rees?)?|"?(h+:?m+:?s+|d+:?m+:?s+):?"?)?$/i.test(unit)) {
      return { ...found, fault: `The column ${name} is in ${unit}: degrees are wanted.` }
    }
    if (system !== undefined) {
      return {
        ...found,
        fault: `The column ${name} is in ${system}, which this form does not turn to ICRS: send the file as it is, by the command line or a script.`,
      }
    }
  }
  const size = headings[of.XSIZE ?? of.YSIZE ?? -1]?.unit ?? ''
  if (size !== '' && size !== 'arcmin') found.order.suffix = /^pix/i.test(size) ? 'px' : size
  return found
}

function columnsByLooks(first: Line, lines: readonly Line[]): Found {
  const isAngle = (cell: string | undefined) => cell !== undefined && typeof parseRa(cell) !== 'string'
  // A header that names nothing we know is still none of the rows.
  const header = first.cells.every((cell) => /^[a-z_]/i.test(cell)) && lines.length > 1
  const example = (header ? lines[1] : first) ?? first
  const numbers = example.cells.filter((cell) => /^[+−-]?[\d.]+$/.test(cell)).length
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

const SIZE = /^\+?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*(arcsec|arcmin|deg|px)?$/i

function rowOf({ number, cells }: Line, { of, triples = false, suffix = '' }: Order, fixes: Fixes): ListRow {
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
  // A size such as 2,3 has both sides.
  const [width, height] = row.cells.XSIZE?.split(',') ?? []
  if (width !== undefined && height !== undefined) {
    row.cells.XSIZE = width.trim()
    row.cells.YSIZE = height.trim()
  }
  for (const column of ['XSIZE', 'YSIZE'] as const) {
    const size = row.cells[column]
    if (size === undefined) continue
    if (!SIZE.test(size) || parseFloat(size) === 0) {
      row.problem ??= `${column} “${size}” is no number above 0, with arcsec, arcmin, deg or px perhaps`
    } else if (suffix !== '' && /[\d.]$/.test(size)) row.cells[column] = size + suffix
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
