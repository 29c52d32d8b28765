import { useInfiniteQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useNextPage } from '@/shared/api/pages'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Card } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'
import { Moment } from '@/shared/ui/Time'
import { auditQuery, type AuditEntry, type AuditFilter } from './api'
import cx from './admin.module.css'

const route = getRouteApi('/admin/$part')
const rowId = ({ id }: AuditEntry) => String(id)

const columns: Column<AuditEntry>[] = [
  { id: 'at', header: 'When', width: '200px', cell: ({ at }) => <Moment at={at} /> },
  {
    id: 'actor',
    named: true,
    header: 'Who',
    width: 'minmax(90px, 140px)',
    cell: ({ actor }) => actor ?? 'not known',
  },
  {
    id: 'action',
    header: 'What',
    width: 'minmax(120px, 200px)',
    cell: ({ action }) => <strong>{action}</strong>,
  },
  {
    id: 'subject',
    named: true,
    header: 'To what',
    width: 'minmax(140px, 1fr)',
    cell: ({ subject }) => subject,
  },
  { id: 'detail', header: 'More', width: 'minmax(140px, 1.4fr)', cell: ({ detail }) => detail },
  { id: 'address', header: 'From', width: '140px', wideOnly: true, cell: ({ address }) => address ?? '–' },
]

const fields = [
  ['actor', 'Who', 'text'],
  ['action', 'What', 'text'],
  ['subject', 'To what', 'text'],
  ['since', 'From', 'date'],
  ['until', 'To', 'date'],
] as const

export function Audit() {
  const filter = route.useSearch()
  const navigate = useNavigate({ from: '/admin/$part' })
  const query = useInfiniteQuery(auditQuery(filter))
  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data])
  const onEnd = useNextPage(query)
  return (
    <>
      <form
        className={cx['filter']}
        key={JSON.stringify(filter)}
        onSubmit={(event) => {
          event.preventDefault()
          const data = new FormData(event.currentTarget)
          const search: AuditFilter = {}
          for (const [name] of fields) {
            const value = data.get(name)
            if (typeof value === 'string' && value !== '') search[name] = value
          }
          void navigate({ search })
        }}
      >
        {fields.map(([name, label, type]) => (
          <label key={name}>
            {label}
            <input name={name} type={type} defaultValue={filter[name] ?? ''} />
          </label>
        ))}
        <button type="submit">Filter</button>
      </form>
      <Loaded query={query} what="Reading the trail">
        {() =>
          rows.length === 0 ? (
            <Notice icon="search" title="Nothing is recorded">
              <p>Logins, refusals, deletions and changes by operators are.</p>
            </Notice>
          ) : (
            <Card flush>
              <DataGrid
                label="Audit trail, newest first"
                boxed
                rows={rows}
                columns={columns}
                rowId={rowId}
                onEnd={onEnd}
              />
            </Card>
          )
        }
      </Loaded>
    </>
  )
}
