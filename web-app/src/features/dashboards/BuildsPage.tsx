import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useMemo } from 'react'
import { count, plural } from '@/shared/lib/format'
import { DataGrid } from '@/shared/ui/DataGrid'
import { Page } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'
import { buildsQuery, dashboardQuery, publicUrl, type Dashboard, type ProductName } from './api'
import { buildColumns } from './buildColumns'
import type { Build } from './documents'
import { Find } from './Find'
import { findBuilds } from './words'
import { Served } from './Served'
import cx from './dashboards.module.css'

const route = getRouteApi('/dashboards/docs/$keeper/$product/builds')
const rowId = ({ slug }: Build) => slug

export function BuildsPage() {
  const { keeper, product } = route.useParams()
  return (
    <Served>
      <Product key={`${keeper}/${product}`} keeper={keeper} product={product} />
    </Served>
  )
}

function Product({ keeper, product }: ProductName) {
  const query = useQuery(dashboardQuery({ keeper, product }))
  const title = query.data?.title
  const params = { keeper, product }
  return (
    <Page
      title={`Builds of ${title === undefined || title === '' ? product : title}`}
      wide
      lead={
        <span className={cx['lead']}>
          <Link to="/dashboards/docs">Documentation</Link>
          <Link to="/dashboards/docs/$keeper/$product" params={params}>
            Editions
          </Link>
          {query.data?.published != null && (
            <>
              <a href={publicUrl(query.data, 'builds/')}>Public page</a>
              <a href={publicUrl(query.data, 'builds/index.json')}>JSON</a>
            </>
          )}
        </span>
      }
    >
      <Loaded query={query} what="Reading the dashboard">
        {(dashboard) =>
          dashboard.published == null ? (
            <Notice icon="book" title="Nothing is published yet">
              <p>The history of the product tells what its jobs say.</p>
            </Notice>
          ) : (
            <Published dashboard={dashboard} />
          )
        }
      </Loaded>
    </Page>
  )
}

function Published({ dashboard }: { dashboard: Dashboard }) {
  const query = useQuery(buildsQuery(dashboard))
  return (
    <Loaded query={query} what="Reading the builds">
      {({ builds }) =>
        builds.length === 0 ? (
          <Notice icon="book" title="No build yet">
            <p>LTD Keeper knows the product, and no build of it.</p>
          </Notice>
        ) : (
          <Builds all={builds} name={dashboard} />
        )
      }
    </Loaded>
  )
}

function Builds({ all, name: { keeper, product } }: { all: readonly Build[]; name: ProductName }) {
  const { q, build } = route.useSearch()
  const navigate = useNavigate({ from: '/dashboards/docs/$keeper/$product/builds' })
  const words = useDeferredValue(q ?? '')
  const found = useMemo(() => findBuilds(all, words), [all, words])
  const columns = useMemo(() => buildColumns({ keeper, product }), [keeper, product])
  return (
    <>
      <div className={cx['bar']}>
        <Find
          label="Find a build"
          text={q}
          onText={(text) => void navigate({ search: { q: text }, replace: true })}
        />
        <p className={cx['tally']} role="status">
          {found.length === all.length
            ? `${plural(all.length, 'build')}, newest first`
            : `${count(found.length)} of ${plural(all.length, 'build')}`}
        </p>
      </div>
      {build !== undefined && !all.some(({ slug }) => slug === build) && (
        <p className={cx['warning']}>There is no build {build}: it may have been deleted.</p>
      )}
      {found.length === 0 ? (
        <Notice
          icon="search"
          title="No build matches"
          actions={
            <Button variant="default" onClick={() => void navigate({ search: {}, replace: true })}>
              Show all
            </Button>
          }
        >
          <p>Try another word of its refs, its author, its ticket, or an edition that shows it.</p>
        </Notice>
      ) : (
        <div className={cx['table']}>
          <DataGrid
            label="Builds, newest first"
            rows={found}
            columns={columns}
            rowId={rowId}
            total={found.length}
            active={build}
          />
        </div>
      )}
    </>
  )
}
