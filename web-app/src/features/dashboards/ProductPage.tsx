import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { Tabs } from '@/shared/ui/kit/tabs'
import { isOperator, meQuery } from '@/shared/api/me'
import { ApiError } from '@/shared/api/problem'
import { count } from '@/shared/lib/format'
import { Card, Facts, Page } from '@/shared/ui/Page'
import { ErrorPanel, Loaded, Notice } from '@/shared/ui/States'
import { Ago, useNow } from '@/shared/ui/Time'
import { dashboardQuery, editionsQuery, publicUrl, type DashboardHistory } from './api'
import { shownUrl, type EditionsDocument } from './documents'
import { Editions } from './Editions'
import { unchecked } from './words'
import { History } from './History'
import { Badge, Outside } from './parts'
import { RebuildButton, RunLine, useRebuild } from './Rebuild'
import { Served } from './Served'
import { Warnings } from './Warnings'
import cx from './dashboards.module.css'

const route = getRouteApi('/dashboards/docs/$keeper/$product')

export function ProductPage() {
  const { keeper, product } = route.useParams()
  return (
    <Served>
      <Product key={`${keeper}/${product}`} keeper={keeper} product={product} />
    </Served>
  )
}

function Product({ keeper, product }: { keeper: string; product: string }) {
  const query = useQuery(dashboardQuery({ keeper, product }))
  if (query.data === undefined) {
    const gone = query.error instanceof ApiError && query.error.status === 404
    return (
      <Page title={product}>
        {gone ? (
          <ErrorPanel error={query.error} actions={<Link to="/dashboards/docs">To all products</Link>} />
        ) : (
          <Loaded query={query} what="Reading the dashboard">
            {() => null}
          </Loaded>
        )}
      </Page>
    )
  }
  return (
    <Loaded query={query} what="Reading the dashboard">
      {(dashboard) => <ProductView dashboard={dashboard} />}
    </Loaded>
  )
}

function ProductView({ dashboard }: { dashboard: DashboardHistory }) {
  const { keeper, product, title, builds } = dashboard
  const { tab } = route.useSearch()
  const navigate = useNavigate({ from: '/dashboards/docs/$keeper/$product' })
  const { data: me } = useQuery(meQuery)
  const document = useQuery({ ...editionsQuery(dashboard), enabled: dashboard.published != null })
  const run = useRebuild(dashboard)
  const may = me !== undefined && isOperator(me)
  return (
    <Page
      title={title === '' ? product : title}
      wide
      lead={<Lead dashboard={dashboard} />}
      actions={
        <>
          <Button
            variant="default"
            renderRoot={(props) => (
              <Link to="/dashboards/docs/$keeper/$product/builds" params={{ keeper, product }} {...props} />
            )}
          >
            Builds ({count(builds)})
          </Button>
          {may && <RebuildButton run={run} />}
        </>
      }
    >
      <RunLine run={run} may={may} />
      <Warnings dashboard={dashboard} run={run} may={may} />
      <About dashboard={dashboard} document={document.data} />
      <Tabs
        className={cx['tabs']}
        value={tab ?? 'editions'}
        keepMounted={false}
        onChange={(next) =>
          void navigate({
            search: (old) => ({ ...old, tab: next === 'history' ? ('history' as const) : undefined }),
            replace: true,
          })
        }
      >
        <Tabs.List>
          <Tabs.Tab value="editions">Editions</Tabs.Tab>
          <Tabs.Tab value="history">History</Tabs.Tab>
        </Tabs.List>
        <div className={cx['panel']}>
          <Tabs.Panel value="editions">
            {dashboard.published == null ? (
              <Notice icon="book" title="Nothing is published yet">
                <p>The history tells what the jobs of this dashboard say.</p>
              </Notice>
            ) : (
              <Loaded query={document} what="Reading the editions">
                {(data) => <Editions document={data} name={dashboard} />}
              </Loaded>
            )}
          </Tabs.Panel>
          <Tabs.Panel value="history">
            <History jobs={dashboard.jobs} />
          </Tabs.Panel>
        </div>
      </Tabs>
    </Page>
  )
}

function Lead({ dashboard: { keeper, product, checked } }: { dashboard: DashboardHistory }) {
  const old = unchecked(checked, useNow())
  return (
    <span className={cx['lead']}>
      <Link to="/dashboards/docs">Documentation</Link>
      <code>{product}</code>
      <span>of {keeper}</span>
      {old !== undefined && (
        <Badge tone="warn" icon="clock">
          {old}
        </Badge>
      )}
    </span>
  )
}

type AboutProps = { dashboard: DashboardHistory; document: EditionsDocument | undefined }

function About({ dashboard, document }: AboutProps) {
  const { editions, latest, published, checked } = dashboard
  const site = document?.product.published_url
  const source = document?.product.doc_repo
  const file = (name: string, text: string) => <a href={publicUrl(dashboard, name)}>{text}</a>
  return (
    <Card>
      <Facts
        items={[
          ['Editions', count(editions)],
          ['Latest edition', latest == null ? 'none yet' : <Ago key="latest" at={latest} />],
          ['Published', published == null ? 'never' : <Ago key="published" at={published} />],
          ['Checked', checked == null ? 'never' : <Ago key="checked" at={checked} />],
          ...(site === undefined
            ? []
            : [
                [
                  'Documentation',
                  <Outside key="site" to={site}>
                    {shownUrl(site)}
                  </Outside>,
                ] as const,
              ]),
          ...(source === undefined
            ? []
            : [
                [
                  'Repository',
                  <Outside key="source" to={source}>
                    {shownUrl(source)}
                  </Outside>,
                ] as const,
              ]),
          ...(published == null
            ? []
            : [
                [
                  'Public pages',
                  <span key="pages" className={cx['links']}>
                    {file('v/', 'Editions')} {file('builds/', 'Builds')}
                  </span>,
                ] as const,
                [
                  'For programs',
                  <span key="files" className={cx['links']}>
                    {['v/index.json', 'builds/index.json', 'v/switcher.json', 'v/versions.json'].map(
                      (name) => (
                        <a key={name} href={publicUrl(dashboard, name)}>
                          {name}
                        </a>
                      ),
                    )}
                  </span>,
                ] as const,
              ]),
        ]}
      />
    </Card>
  )
}
