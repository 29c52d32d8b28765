import {
  createSortedRowModel,
  rowSortingFeature,
  tableFeatures,
  useTable,
  type ColumnDef,
  type RowData,
} from '@tanstack/react-table'
import { useMemo } from 'react'

const features = tableFeatures({ rowSortingFeature, sortedRowModel: createSortedRowModel() })

/** By which column rows are sorted. */
export type Order = { id: string; desc: boolean }

type Sortable<Row> = { id: string; sort?: (row: Row) => string | number }

/** The rows as a table has them that is sorted so. */
export function useSorted<Row extends RowData>(
  rows: readonly Row[],
  columns: readonly Sortable<Row>[],
  rowId: (row: Row) => string,
  order: Order | undefined,
): Row[] {
  const sorting = useMemo(() => (order === undefined ? [] : [order]), [order])
  const defs = useMemo(
    () =>
      columns.map(({ id, sort }): ColumnDef<typeof features, Row> => ({
        id,
        accessorFn: sort ?? (() => ''),
        enableSorting: sort !== undefined,
        sortFn: 'auto',
      })),
    [columns],
  )
  const table = useTable({ features, columns: defs, data: rows, getRowId: rowId, state: { sorting } })
  return table.getRowModel().rows.map(({ original }) => original)
}
