import { columnsOf, toCsv, type Fixes, type List, type ListColumn } from './positions'
import { readTable } from './tables'

/** Changes of single rows of a list, made in its text, so that what is typed and what is read stay the same. */

export type RowEdit = Partial<Record<ListColumn, string>>

/**
 * The text with one row changed, or, without an edit, taken out. The line alone is changed where that can be; else,
 * where angles are three cells, columns are swapped, or the list is no text, all of it is written as CSV.
 */
export function withRow(text: string, list: List, fixes: Fixes, index: number, edit?: RowEdit): string {
  const row = list.rows[index]
  if (row === undefined) return text
  const isPlain = list.form === 'text' && fixes.swap !== true && fixes.hours !== true
  const line = isPlain ? changedLine(text, row.line, edit) : undefined
  if (line !== undefined) return line
  const rows = list.rows.map((one, at) =>
    at === index && edit !== undefined ? { ...one, cells: { ...one.cells, ...edit } } : one,
  )
  return toCsv(edit === undefined ? rows.filter((_, at) => at !== index) : rows)
}

/** The text without these rows. */
export function withoutRows(text: string, list: List, fixes: Fixes, indexes: ReadonlySet<number>): string {
  if (list.form === 'text' && fixes.swap !== true && fixes.hours !== true) {
    const gone = new Set([...indexes].map((index) => list.rows[index]?.line))
    const lines = text.split(/\r\n?|\n/)
    return lines.filter((_, at) => !gone.has(at + 1)).join('\n')
  }
  return toCsv(list.rows.filter((_, index) => !indexes.has(index)))
}

/** Whether a row's change writes the whole list anew, with what was asked to be mended. */
export const writesAll = (list: List, fixes: Fixes) =>
  list.form !== 'text' || fixes.swap === true || fixes.hours === true

/** Whether a text stands in the place of another, and is no change of it: what was asked of that one is not asked. */
export function isAnother(before: string, after: string): boolean {
  const least = Math.min(before.length, after.length)
  let same = 0
  while (same < least && before[same] === after[same]) same += 1
  let end = 0
  while (end < least - same && before.at(-1 - end) === after.at(-1 - end)) end += 1
  return before !== '' && (same + end) * 2 < least + 1
}

function changedLine(text: string, number: number, edit: RowEdit | undefined): string | undefined {
  const lines = text.split(/\r\n?|\n/)
  if (edit === undefined) return lines.filter((_, at) => at + 1 !== number).join('\n')
  const table = readTable(text)
  const { order } = columnsOf(table)
  const cells = table.lines.find((line) => line.number === number)?.cells.slice()
  if (cells === undefined || order.triples === true) return undefined
  const delimiter = table.delimiter ?? ','
  for (const [column, value] of Object.entries(edit) as [ListColumn, string][]) {
    const at = order.of[column]
    // What has no column here has none to be written into.
    if (at === undefined || (delimiter === ' ' && (value === '' || /\s/.test(value)))) return undefined
    while (cells.length < at) cells.push('')
    cells[at] = value
  }
  if (delimiter === ' ' && cells.includes('')) return undefined
  const quoted = cells.map((cell) =>
    cell.includes(delimiter) || cell.includes('"') ? `"${cell.replaceAll('"', '""')}"` : cell,
  )
  lines[number - 1] = quoted.join(delimiter === ',' || delimiter === ';' ? `${delimiter} ` : delimiter)
  return lines.join('\n')
}
