/** The first table of a VOTable (1.4) as the server reads it: TABLEDATA, BINARY or BINARY2. */
import { readBinary, type Field } from './binary'
import type { Heading, Line, Table } from './tables'

/** A worker has no parser of XML. */
const TOKEN = /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<(\/?)(?:[\w.-]+:)?([\w.-]+)([^>]*?)(\/?)>|([^<]+)/g

/** What coordinates refer to: a COOSYS, which may have no ID. Of ICRS `system` is undefined. */
type Coosys = { id: string; system: string | undefined }
type Column = Field & { heading: Heading; id: string; ref: string }

/** A document while it is read. */
type Document = {
  systems: Coosys[]
  columns: Column[]
  /** What the groups that are open refer to. */
  groups: string[]
  /** IDs of columns in groups, and what these refer to. */
  grouped: [column: string, system: string][]
  lines: Line[]
  /** How rows are written that are no TABLEDATA. */
  form: 'BINARY' | 'BINARY2' | undefined
  /** Their text, once it begins. */
  stream: string | undefined
}

export function readVotable(text: string): Table {
  const document: Document = {
    ...{ systems: [], columns: [], groups: [], grouped: [], lines: [] },
    ...{ form: undefined, stream: undefined },
  }
  const none = (fault: string): Table => ({ form: 'votable', lines: [], fault })
  let cells: string[] | undefined
  let cell: string | undefined
  let inTable = false
  for (const [, cdata, close, name, attributes = '', empty, words] of text.matchAll(TOKEN)) {
    if (name === undefined) {
      const said = cdata ?? decoded(words ?? '')
      if (cell !== undefined) cell += said
      else if (document.stream !== undefined) document.stream += said
      continue
    }
    const tag = name.toUpperCase()
    if (close === '/') {
      if (tag === 'TD' && cell !== undefined) {
        cells?.push(presence(cell.trim(), document.columns[cells.length]))
        cell = undefined
      } else if (tag === 'TR' && cells !== undefined) {
        document.lines.push({ number: document.lines.length + 1, cells })
        cells = undefined
      } else if (tag === 'GROUP') document.groups.pop()
      // What comes after the first table is another's.
      else if (tag === 'TABLE' || tag === document.form) break
    } else if (tag === 'TABLE') inTable = true
    else if (tag === 'COOSYS')
      document.systems.push({ id: attributeOf(attributes, 'ID') ?? '', system: systemOf(attributes) })
    else if (!inTable) continue
    else if (tag === 'TR') cells = []
    else if (tag === 'TD') {
      if (empty === '/') cells?.push('')
      else cell = ''
    } else {
      const fault = begin(document, tag, attributes, empty === '/')
      if (fault !== undefined) return none(fault)
    }
  }
  const { columns, form, stream } = document
  if (columns.length === 0) return none('This is no VOTable with a table.')
  const headings = columns.map((column) => headingOf(document, column))
  if (form === undefined) return { form: 'votable', headings, lines: document.lines }
  const rows = readBinary(stream ?? '', columns, form === 'BINARY2')
  if (typeof rows === 'string') return none(rows)
  const lines = rows.map((row, index) => ({
    number: index + 1,
    cells: row.map((value, at) => presence(value, columns[at])),
  }))
  return { form: 'votable', headings, lines }
}

/** What begins within the table; why nothing can be read of it. */
function begin(document: Document, tag: string, attributes: string, isEmpty: boolean): string | undefined {
  const at = (name: string) => attributeOf(attributes, name) ?? ''
  if (tag === 'FIELD') document.columns.push(columnOf(attributes))
  else if (tag === 'GROUP' && !isEmpty) document.groups.push(at('ref'))
  else if (tag === 'FIELDREF') {
    const system = document.groups.at(-1) ?? ''
    if (system !== '') document.grouped.push([at('ref'), system])
  } else if (tag === 'BINARY' || tag === 'BINARY2') document.form = tag
  else if (tag === 'FITS' || tag === 'PARQUET')
    return `The rows of this VOTable are ${tag}: save it as TABLEDATA, BINARY or BINARY2.`
  else if (tag === 'STREAM' && document.form !== undefined) {
    if (at('href') !== '' || at('encoding') !== 'base64')
      return 'The rows of this VOTable are elsewhere, or no base64: save it as TABLEDATA.'
    document.stream = ''
  }
  return undefined
}

/** Of real numbers NaN is none. */
const presence = (value: string, column: Column | undefined) =>
  (column?.datatype === 'float' || column?.datatype === 'double') && /^nan$/i.test(value) ? '' : value

function attributeOf(attributes: string, name: string): string | undefined {
  const found = new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, 'i').exec(attributes)
  return found === null ? undefined : decoded(found[1] ?? found[2] ?? '').trim()
}

/** A coordinate system, if it is not ICRS or, which is the same to some 20 mas, FK5 of J2000. */
function systemOf(attributes: string): string | undefined {
  const system = attributeOf(attributes, 'system') ?? ''
  const equinox = attributeOf(attributes, 'equinox') ?? ''
  const isIcrs =
    /^icrs$/i.test(system) || (/^((eq_)?fk5)?$/i.test(system) && /^(J?2000(\.0*)?)?$/i.test(equinox))
  return isIcrs ? undefined : `${system} ${equinox}`.trim()
}

function columnOf(attributes: string): Column {
  const at = (name: string) => attributeOf(attributes, name) ?? ''
  const id = at('ID')
  const heading: Heading = { name: at('name') || id }
  const ucd = at('ucd')
  const unit = at('unit')
  if (ucd !== '') heading.ucd = ucd.toLowerCase()
  if (unit !== '') heading.unit = unit
  return { heading, id, ref: at('ref'), datatype: at('datatype'), arraysize: at('arraysize') }
}

/** A column with what it refers to: by itself, by a group that it is in, or by its name; else the system of all. */
function headingOf({ systems, grouped }: Document, { heading, id, ref }: Column): Heading {
  const groups = grouped.filter(([column]) => column !== '' && column === id).map(([, system]) => system)
  const own = [ref, ...groups]
    .map((named) => systems.find((one) => named !== '' && one.id === named))
    .find((one) => one !== undefined)
  let system: string | undefined
  if (own !== undefined) system = own.system
  else if (!/2000|icrs/i.test(heading.name)) {
    const [first, ...others] = new Set(systems.map((one) => one.system))
    system = others.length === 0 ? first : 'one of several systems (no ref says which)'
  }
  return system === undefined ? heading : { ...heading, system }
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
