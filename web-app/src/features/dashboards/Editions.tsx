import { Button } from '@mantine/core'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo } from 'react'
import { count, plural } from '@/shared/lib/format'
import { DataGrid } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Notice } from '@/shared/ui/States'
import type { ProductName } from './api'
import type { Edition, EditionsDocument } from './documents'
import { editionColumns } from './editionColumns'
import { Find } from './Find'
import { findEditions } from './words'
import { Strip } from './Strip'
import cx from './dashboards.module.css'

const route = getRouteApi('/dashboards/docs/$keeper/$product')
const rowId = ({ slug }: Edition) => slug

/** The editions of a product, by kind, in the order in which the server has them. */
export function Editions({ document, name }: { document: EditionsDocument; name: ProductName }) {
  const { groups, warnings } = document
  const { q } = route.useSearch()
  const navigate = useNavigate({ from: '/dashboards/docs/$keeper/$product' })
  const words = useDeferredValue(q ?? '')
  const found = useMemo(() => findEditions(groups, words), [groups, words])
  const { keeper, product } = name
  const columns = useMemo(() => editionColumns({ keeper, product }), [keeper, product])
  const all = groups.reduce((sum, { editions }) => sum + editions.length, 0)
  if (all === 0) {
    return (
      <Notice icon="book" title="No edition yet">
        <p>LTD Keeper knows the product, and no edition of it.</p>
      </Notice>
    )
  }
  const shown = found.reduce((sum, { editions }) => sum + editions.length, 0)
  return (
    <>
      {warnings.map((warning) => (
        <p key={warning} className={cx['warning']}>
          <Icon name="warning" />
          <bdi>{warning}</bdi>
        </p>
      ))}
      <Strip groups={groups} />
      <div className={cx['bar']}>
        <Find
          label="Find an edition"
          text={q}
          onText={(text) => void navigate({ search: (old) => ({ ...old, q: text }), replace: true })}
        />
        <p className={cx['tally']} role="status">
          {shown === all ? plural(all, 'edition') : `${count(shown)} of ${plural(all, 'edition')}`}
        </p>
      </div>
      {found.length > 1 && (
        <ul className={cx['kinds']} aria-label="Kinds">
          {found.map(({ kind, title, editions }) => (
            <li key={kind}>
              <a href={`#kind-${kind}`}>{title}</a> {count(editions.length)}
            </li>
          ))}
        </ul>
      )}
      {found.length === 0 && (
        <Notice
          icon="search"
          title="No edition matches"
          actions={
            <Button
              variant="default"
              renderRoot={(props) => (
                <Link to="/dashboards/docs/$keeper/$product" params={{ keeper, product }} {...props} />
              )}
            >
              Show all
            </Button>
          }
        >
          <p>Try another word of its name, its refs, its author or its ticket.</p>
        </Notice>
      )}
      {found.map(({ kind, title, editions }) => (
        <section key={kind} id={`kind-${kind}`} className={cx['kind']}>
          <h2>
            {title} <span className={cx['sub']}>{count(editions.length)}</span>
          </h2>
          <div className={cx['table']}>
            <DataGrid
              label={title}
              rows={editions}
              columns={columns}
              rowId={rowId}
              total={editions.length}
              rowHeight={48}
            />
          </div>
        </section>
      ))}
    </>
  )
}
