import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo } from 'react'
import { basePath } from '@/shared/config'
import { isOperator, meQuery } from '@/shared/api/me'
import { count, plural } from '@/shared/lib/format'
import { DataGrid } from '@/shared/ui/DataGrid'
import { Page } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'
import type { Order } from '@/shared/ui/useSorted'
import { dashboardsQuery, type Dashboard } from './api'
import { dashboardColumns, type OrderName } from './columns'
import { Find } from './Find'
import { findProducts } from './words'
import { RebuildAll } from './RebuildAll'
import { Served } from './Served'
import cx from './dashboards.module.css'

const route = getRouteApi('/dashboards/docs')
const rowId = ({ keeper, product }: Dashboard) => `${keeper}/${product}`

export function DashboardsPage() {
  return (
    <Served>
      <Dashboards />
    </Served>
  )
}

function Dashboards() {
  const query = useQuery(dashboardsQuery)
  const { data: me } = useQuery(meQuery)
  const products = query.data ?? []
  return (
    <Page
      title="Documentation"
      wide
      lead="The editions and builds of what LTD Keeper publishes."
      actions={
        <>
          <Button component="a" variant="default" href={`${basePath}/dashboards/`}>
            Public page
          </Button>
          {me !== undefined && isOperator(me) && products.length > 0 && <RebuildAll products={products} />}
        </>
      }
    >
      <Loaded query={query} what="Reading the dashboards">
        {(all) => (all.length === 0 ? <None /> : <Products all={all} />)}
      </Loaded>
    </Page>
  )
}

function None() {
  return (
    <Notice icon="book" title="No dashboard yet">
      <p>
        There is one for each product of the LTD Keepers that this server’s settings name, as soon as a Keeper
        calls or the server next looks.
      </p>
    </Notice>
  )
}

function Products({ all }: { all: readonly Dashboard[] }) {
  const { q, sort = 'title', desc = false } = route.useSearch()
  const navigate = useNavigate({ from: '/dashboards/docs' })
  const words = useDeferredValue(q ?? '')
  const found = useMemo(() => findProducts(all, words), [all, words])
  const several = new Set(all.map(({ keeper }) => keeper)).size > 1
  const columns = useMemo(() => dashboardColumns(several), [several])
  const order = useMemo((): Order => ({ id: sort, desc }), [sort, desc])
  const setOrder = (next: Order | undefined) =>
    void navigate({
      search: (old) => ({
        ...old,
        sort: next?.id as OrderName | undefined,
        desc: next?.desc === true ? (true as const) : undefined,
      }),
      replace: true,
    })
  return (
    <>
      <div className={cx['bar']}>
        <Find
          label="Find a product"
          text={q}
          onText={(text) => void navigate({ search: (old) => ({ ...old, q: text }), replace: true })}
        />
        <p className={cx['tally']} role="status">
          {found.length === all.length
            ? plural(all.length, 'product')
            : `${count(found.length)} of ${plural(all.length, 'product')}`}
        </p>
        <div className={cx['order']}>
          <label>
            Order by
            <select value={sort} onChange={({ currentTarget: { value } }) => setOrder({ id: value, desc })}>
              {columns
                .filter((column) => column.sort !== undefined)
                .map(({ id, header }) => (
                  <option key={id} value={id}>
                    {header}
                  </option>
                ))}
            </select>
          </label>
          <Button variant="default" size="compact-md" onClick={() => setOrder({ id: sort, desc: !desc })}>
            {desc ? 'Falling' : 'Rising'}
          </Button>
        </div>
      </div>
      {found.length === 0 ? (
        <Notice
          icon="search"
          title="No product matches"
          actions={
            <Button variant="default" renderRoot={(props) => <Link to="/dashboards/docs" {...props} />}>
              Show all
            </Button>
          }
        >
          <p>Try another word of its title, its name, or its Keeper’s.</p>
        </Notice>
      ) : (
        <div className={cx['table']}>
          <DataGrid
            label="Products"
            rows={found}
            columns={columns}
            rowId={rowId}
            total={found.length}
            rowHeight={56}
            order={order}
            onOrder={setOrder}
          />
        </div>
      )}
    </>
  )
}
