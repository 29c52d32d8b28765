import { Button } from '@mantine/core'
import { useEffect, useMemo, useRef, useState } from 'react'
import { Checkbox } from '@/shared/ui/kit/inputs'
import { formatDec, formatRa, parseDec, parseRa } from '@/shared/astro/coords'
import type { RowEdit } from '@/shared/astro/edits'
import type { List, ListRow } from '@/shared/astro/positions'
import { plural } from '@/shared/lib/format'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import type { Checked } from './check'
import cx from './submit.module.css'

type ListRowsProps = {
  list: List
  /** What the server has to say of rows, by their numbers. */
  found: Checked['rows']
  onEdit: (index: number, edit: RowEdit) => void
  onRemove: (indexes: ReadonlySet<number>) => void
  /** Shows a line where it was typed. */
  onRow?: (line: number) => void
}

type Shown = ListRow & { index: number; told: string | undefined; bad: boolean }
const rowId = ({ index }: Shown) => String(index)

type Edited = { index: number; cells: { OBJID: string; RA: string; DEC: string } }

/** The rows as they were read, each with what is to be said of it, and how to change it. */
export function ListRows({ list, found: checked, onEdit, onRemove, onRow }: ListRowsProps) {
  const [problemsOnly, setProblemsOnly] = useState(false)
  const [edited, setEdited] = useState<Edited>()
  const box = useRef<HTMLDivElement>(null)
  /** The row that was changed, until the focus has gone elsewhere. */
  const changed = useRef<number>(undefined)
  const told = useMemo(() => new Map(checked.map((row) => [row.row, row])), [checked])
  const rows = useMemo(() => {
    const all = list.rows.map((row, index): Shown => {
      const found = told.get(index + 1)
      const server = found?.images === 0 ? 'On no image' : (found?.problem ?? undefined)
      return { ...row, index, told: row.problem ?? row.warning ?? server, bad: row.problem !== undefined }
    })
    return problemsOnly ? all.filter((row) => row.told !== undefined) : all
  }, [list, told, problemsOnly])
  const outside = useMemo(
    () => checked.filter(({ images }) => images === 0).map(({ row }) => row - 1),
    [checked],
  )
  useEffect(() => {
    if (edited !== undefined) changed.current = edited.index
    else if (changed.current !== undefined && document.activeElement === document.body) {
      const index = changed.current
      const button = focusRow(box.current, index)
      // Its row may go once the list is read anew: then the focus goes on. Otherwise somebody has moved it.
      const onBlur = () =>
        queueMicrotask(() => {
          if (button?.isConnected === true && changed.current === index) changed.current = undefined
        })
      button?.addEventListener('blur', onBlur, { once: true })
    }
  }, [edited, rows])
  const columns = useMemo(
    () =>
      columnsOf({
        edited,
        numbered: list.form === 'text' ? 'Line' : 'Row',
        setEdited,
        save: ({ index, cells }) => {
          const before = list.rows[index]?.cells ?? {}
          const edits = Object.entries(cells).filter(
            ([name, value]) => value.trim() !== (before[name as keyof typeof cells] ?? ''),
          )
          setEdited(undefined)
          if (edits.length > 0)
            onEdit(index, Object.fromEntries(edits.map(([name, value]) => [name, value.trim()])))
        },
        remove: (index) => {
          setEdited(undefined)
          onRemove(new Set([index]))
        },
      }),
    [edited, list, onEdit, onRemove],
  )
  return (
    <div ref={box} className={cx['rows']}>
      <div className={cx['rowsHead']}>
        <Checkbox
          size="xs"
          label="Only rows with something to say"
          checked={problemsOnly}
          onChange={({ currentTarget }) => setProblemsOnly(currentTarget.checked)}
        />
        {outside.length > 0 && outside.length < list.rows.length && (
          <Button size="compact-sm" variant="subtle" onClick={() => onRemove(new Set(outside))}>
            Leave out {plural(outside.length, 'row')} on no image
          </Button>
        )}
      </div>
      {rows.length > 0 ? (
        <DataGrid
          label="Rows of the list"
          boxed
          rows={rows}
          columns={columns}
          rowId={rowId}
          total={rows.length}
          rowHeight={34}
          {...(onRow
            ? {
                onRow: ({ line }: Shown, event) => {
                  if ((event.target as Element).closest('button, input') === null) onRow(line)
                },
              }
            : {})}
        />
      ) : (
        <p className={cx['quiet']}>No row has anything to say.</p>
      )}
    </div>
  )
}

/** The focus to what changes this row, or the next that is shown, or the last. */
function focusRow(box: HTMLElement | null, index: number): HTMLElement | undefined {
  const buttons = [...(box?.querySelectorAll<HTMLElement>('button[data-change]') ?? [])]
  const button = buttons.find(({ dataset }) => Number(dataset['change']) >= index) ?? buttons.at(-1)
  button?.focus()
  return button
}

type Editing = {
  edited: Edited | undefined
  numbered: string
  setEdited: (edited: Edited | undefined) => void
  save: (edited: Edited) => void
  remove: (index: number) => void
}

function columnsOf({ edited, numbered, setEdited, save, remove }: Editing): Column<Shown>[] {
  const field = (row: Shown, name: keyof Edited['cells'], label: string, focused = false) => {
    if (edited === undefined) return null
    const { cells } = edited
    const bad =
      (name === 'RA' && typeof parseRa(cells.RA) === 'string') ||
      (name === 'DEC' && typeof parseDec(cells.DEC) === 'string')
    return (
      <input
        className={cx['cellInput']}
        aria-label={`${label} of ${numbered.toLowerCase()} ${row.line}`}
        aria-invalid={bad}
        // Somebody has pressed a button to type here.
        // eslint-disable-next-line jsx-a11y/no-autofocus
        autoFocus={focused}
        value={cells[name]}
        onChange={({ currentTarget: { value } }) =>
          setEdited({ ...edited, cells: { ...cells, [name]: value } })
        }
        onKeyDown={(event) => {
          if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
            event.preventDefault()
            save(edited)
          } else if (event.key === 'Escape') setEdited(undefined)
        }}
      />
    )
  }
  const isEdited = ({ index }: Shown) => edited?.index === index
  return [
    { id: 'line', header: numbered, width: '38px', end: true, cell: ({ line }) => line },
    {
      id: 'state',
      header: 'State',
      head: '',
      width: '18px',
      cell: ({ told, bad }) => (
        <span
          className={cx['mark']}
          data-state={bad ? 'bad' : told === undefined ? 'good' : 'warn'}
          title={bad ? 'Must be mended' : told === undefined ? 'Good' : 'Look at it'}
        >
          <Icon name={bad ? 'close' : told === undefined ? 'check' : 'warning'} size={15} />
        </span>
      ),
    },
    {
      id: 'id',
      header: 'Id',
      width: 'minmax(48px, 1fr)',
      cell: (row) => (isEdited(row) ? field(row, 'OBJID', 'Id') : (row.cells.OBJID ?? '–')),
    },
    {
      id: 'position',
      header: 'Position',
      width: '218px',
      cell: (row) => {
        if (isEdited(row)) {
          const wrongRa = typeof parseRa(row.cells.RA ?? '') === 'string'
          return (
            <span className={cx['pair']}>
              {field(row, 'RA', 'RA', wrongRa || row.problem === undefined)}
              {field(row, 'DEC', 'Dec', !wrongRa && row.problem !== undefined)}
            </span>
          )
        }
        const { ra, dec, cells } = row
        return ra === undefined || dec === undefined
          ? `${cells.RA ?? ''} ${cells.DEC ?? ''}`
          : `${formatRa(ra)} ${formatDec(dec)}`
      },
    },
    {
      id: 'told',
      header: 'Remark',
      width: 'minmax(96px, 1.6fr)',
      cell: (row) =>
        isEdited(row) && edited !== undefined ? (
          <span className={cx['rowActs']}>
            <Button size="compact-xs" onClick={() => save(edited)}>
              Save
            </Button>
            <Button size="compact-xs" variant="default" onClick={() => setEdited(undefined)}>
              Cancel
            </Button>
            <Button
              size="compact-xs"
              variant="subtle"
              color="var(--bad-text)"
              onClick={() => remove(row.index)}
            >
              Leave out
            </Button>
          </span>
        ) : (
          <span className={row.bad ? cx['badText'] : cx['dimText']}>{row.told ?? ''}</span>
        ),
    },
    {
      id: 'edit',
      header: 'Change',
      head: '',
      width: '28px',
      cell: (row) =>
        isEdited(row) ? null : (
          <button
            type="button"
            className={cx['rowEdit']}
            data-change={row.index}
            aria-label={`Change ${numbered.toLowerCase()} ${row.line}`}
            onClick={() =>
              setEdited({
                index: row.index,
                cells: { OBJID: row.cells.OBJID ?? '', RA: row.cells.RA ?? '', DEC: row.cells.DEC ?? '' },
              })
            }
          >
            <Icon name="edit" size={15} />
          </button>
        ),
    },
  ]
}
