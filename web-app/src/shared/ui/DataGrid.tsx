import type { RowData } from '@tanstack/react-table'
import { useVirtualizer, useWindowVirtualizer, type Virtualizer } from '@tanstack/react-virtual'
import { useEffect, useLayoutEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react'
import cx from './grid.module.css'
import { useSorted, type Order } from './useSorted'

export type Column<Row extends RowData> = {
  id: string
  /** Its heading; also its name where rows are cards. */
  header: string
  /** Instead of the heading's text. */
  head?: ReactNode
  /** A track of a CSS grid. */
  width: string
  cell: (row: Row) => ReactNode
  /** By what rows are sorted; without it they are not, by this column. */
  sort?: (row: Row) => string | number
  end?: boolean
  /** Where rows are cards, its heading stands before the value. */
  named?: boolean
  /** Left out where rows are cards. */
  wideOnly?: boolean
}

type DataGridProps<Row extends RowData> = {
  label: string
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  rowId: (row: Row) => string
  /** Of how many rows these are the first; unknown if there are more than are here. */
  total?: number | undefined
  /** The row that the keyboard is at. */
  active?: string | undefined
  /** The focus goes with the active row, so that it is read: for where, or as long as, keys change it. */
  follows?: boolean
  selected?: ReadonlySet<string>
  onRow?: (row: Row, event: React.MouseEvent) => void
  /** The last rows are near; called for as long as they are. */
  onEnd?: () => void
  /** Height of a row before it is measured, in CSS pixels. */
  rowHeight?: number
  /** Scrolls in itself, not with the page. */
  boxed?: boolean
  /** How it is sorted, where the page keeps that; by itself it does without `onOrder`. */
  order?: Order | undefined
  onOrder?: (order: Order | undefined) => void
}

/** A table of any number of rows, of which only those in view are in the document. */
export function DataGrid<Row extends RowData>(props: DataGridProps<Row>) {
  const [own, setOwn] = useState<Order>()
  const { columns, rows, rowId, onOrder = setOwn } = props
  const order = props.onOrder === undefined ? own : props.order
  const sorted = useSorted(rows, columns, rowId, order)
  const toggle = (id: string) =>
    onOrder(order?.id !== id ? { id, desc: false } : order.desc ? undefined : { id, desc: true })
  const inner = { ...props, rows: sorted, sorting: order, onSort: toggle }
  return props.boxed === true ? <BoxedGrid {...inner} /> : <PageGrid {...inner} />
}

type InnerProps<Row extends RowData> = DataGridProps<Row> & {
  sorting: Order | undefined
  onSort: (id: string) => void
}

const OVERSCAN = 6

function BoxedGrid<Row extends RowData>(props: InnerProps<Row>) {
  const box = useRef<HTMLDivElement>(null)
  // eslint-disable-next-line react-hooks/incompatible-library
  const virtualizer = useVirtualizer({
    count: props.rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => props.rowHeight ?? 44,
    getItemKey: (index) => keyOf(props, index),
    overscan: OVERSCAN,
  })
  return (
    // A region that scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div ref={box} className={cx['box']} tabIndex={0} role="region" aria-label={props.label}>
      <Body {...props} virtualizer={virtualizer} margin={0} />
    </div>
  )
}

function PageGrid<Row extends RowData>(props: InnerProps<Row>) {
  const top = useRef<HTMLDivElement>(null)
  const [margin, setMargin] = useState(0)
  useLayoutEffect(() => {
    const measure = () => setMargin((top.current?.getBoundingClientRect().top ?? 0) + window.scrollY)
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [])
  const virtualizer = useWindowVirtualizer({
    count: props.rows.length,
    estimateSize: () => props.rowHeight ?? 44,
    getItemKey: (index) => keyOf(props, index),
    overscan: OVERSCAN,
    scrollMargin: margin,
  })
  return (
    <div ref={top}>
      <Body {...props} virtualizer={virtualizer} margin={margin} />
    </div>
  )
}

function keyOf<Row extends RowData>({ rows, rowId }: InnerProps<Row>, index: number): string | number {
  const row = rows[index]
  return row === undefined ? index : rowId(row)
}

type BodyProps<Row extends RowData> = InnerProps<Row> & {
  virtualizer: Virtualizer<HTMLDivElement, Element> | Virtualizer<Window, Element>
  margin: number
}

function Body<Row extends RowData>(props: BodyProps<Row>) {
  const {
    label,
    rows,
    columns,
    rowId,
    total,
    active,
    follows = false,
    boxed = false,
    selected,
    onRow,
    onEnd,
    sorting,
    onSort,
    virtualizer,
    margin,
  } = props
  const items = virtualizer.getVirtualItems()
  const last = items.at(-1)?.index ?? -1
  const near = rows.length > 0 && last >= rows.length - 12
  // After every rendering: what is asked for may give way to a refresh before anything here has changed.
  useEffect(() => {
    if (near) onEnd?.()
  })

  const at = active === undefined ? -1 : rows.findIndex((row) => rowId(row) === active)
  const isNew = useRef(true)
  const awaited = useRef<string>(undefined)
  const body = useRef<HTMLDivElement>(null)
  useEffect(() => {
    // From row to row no further than needed; a table that begins at one shows also what is around it.
    if (at >= 0) virtualizer.scrollToIndex(at, { align: isNew.current ? 'center' : 'auto' })
    awaited.current = follows && !isNew.current ? active : undefined
    isNew.current = false
    // Only when another row is active: not when rows before it change.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [active])

  // After every rendering: the row comes into the document only when it has been scrolled to.
  useEffect(() => {
    if (awaited.current === undefined) return
    const row = body.current?.querySelector<HTMLElement>(`[data-index="${at}"]`)
    if (row == null) return
    awaited.current = undefined
    row.focus({ preventScroll: boxed })
    if (!boxed) return
    // Its box has been scrolled to it, but may itself be out of sight. What is looked at beside it moves no further than
    // that needs; the row too, for boxes that are higher than the window.
    row.closest('[role="region"]')?.scrollIntoView({ block: 'nearest' })
    row.scrollIntoView({ block: 'nearest' })
  })

  // Geometry that only this component knows.
  const tracks = { '--tracks': columns.map(({ width }) => width).join(' ') } as CSSProperties
  return (
    // eslint-disable-next-line no-restricted-syntax
    <div className={cx['grid']} role="table" aria-label={label} aria-rowcount={total ?? -1} style={tracks}>
      <div role="rowgroup">
        <div className={cx['head']} role="row" aria-rowindex={1}>
          {columns.map(({ id, header, head, sort, end = false }) => (
            <div
              key={id}
              role="columnheader"
              className={cx['headCell']}
              data-end={end || undefined}
              aria-sort={sorting?.id !== id ? undefined : sorting.desc ? 'descending' : 'ascending'}
            >
              {sort === undefined ? (
                (head ?? header)
              ) : (
                <button type="button" className={cx['sort']} onClick={() => onSort(id)}>
                  {header}
                  <span aria-hidden="true">{sorting?.id !== id ? '' : sorting.desc ? '▾' : '▴'}</span>
                </button>
              )}
            </div>
          ))}
        </div>
      </div>
      {/* eslint-disable-next-line no-restricted-syntax */}
      <div ref={body} className={cx['rows']} role="rowgroup" style={{ height: virtualizer.getTotalSize() }}>
        {items.map(({ index, key, start }) => {
          const row = rows[index]
          if (row === undefined) return null
          const id = rowId(row)
          return (
            // The keyboard has the same by links and keys of the page.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events
            <div
              key={key}
              ref={virtualizer.measureElement}
              data-index={index}
              className={cx['row']}
              role="row"
              tabIndex={-1}
              aria-rowindex={index + 2}
              aria-selected={selected?.has(id)}
              data-active={id === active || undefined}
              data-clicks={onRow !== undefined || undefined}
              onClick={onRow && ((event) => onRow(row, event))}
              // eslint-disable-next-line no-restricted-syntax
              style={{ transform: `translateY(${start - margin}px)` }}
            >
              {columns.map((column) => (
                <div
                  key={column.id}
                  role="cell"
                  className={cx['cell']}
                  data-end={column.end || undefined}
                  data-wide-only={column.wideOnly || undefined}
                  data-column={column.id}
                  data-name={column.named === true ? column.header : undefined}
                >
                  {column.cell(row)}
                </div>
              ))}
            </div>
          )
        })}
      </div>
    </div>
  )
}
