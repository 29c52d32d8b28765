import { queryOptions, type QueryClient } from '@tanstack/react-query'
import { basePath } from '@/shared/config'
import { api, content, send, type Schema } from '@/shared/api/client'
import { createJob } from '@/shared/api/jobs'
import { hasEnded, phaseNames, type Phase } from '@/shared/api/phases'
import { newKey } from '@/shared/lib/key'
import { readBuilds, readEditions } from './documents'

export type Dashboard = Schema['Dashboard']
export type DashboardHistory = Schema['DashboardHistory']
export type DashboardJob = Schema['DashboardJob']
export type ProductName = Pick<Dashboard, 'keeper' | 'product'>

/** The phase of a job that is told beside a dashboard. */
export const phaseOf = ({ phase }: Pick<DashboardJob, 'phase'>): Phase =>
  phaseNames.find((name) => name === phase) ?? 'UNKNOWN'

/** Whether nothing more happens to it. */
export const isOver = (job: Pick<DashboardJob, 'phase'>) => hasEnded(phaseOf(job))

const keys = {
  all: ['dashboards'] as const,
  list: ['dashboards', 'list'] as const,
  one: ({ keeper, product }: ProductName) => ['dashboards', 'one', keeper, product] as const,
}

/** What is published is asked for as often as what the server says of it: others' jobs send this browser no event. */
const PACE = 30_000
const PACE_OF_JOBS = 3_000

export const dashboardsQuery = queryOptions({
  queryKey: keys.list,
  queryFn: async ({ signal }) => (await content(api.GET('/api/v1/dashboards', { signal }))).products,
  refetchInterval: PACE,
})

export const dashboardQuery = ({ keeper, product }: ProductName) =>
  queryOptions({
    queryKey: keys.one({ keeper, product }),
    queryFn: ({ signal }) =>
      content(
        api.GET('/api/v1/dashboards/{keeper}/{product}', { params: { path: { keeper, product } }, signal }),
      ),
    refetchInterval: ({ state }) => (state.data?.jobs.every(isOver) === false ? PACE_OF_JOBS : PACE),
  })

type Published = Pick<Dashboard, 'keeper' | 'product' | 'path' | 'published'>

/** Where a file of a dashboard is, for everyone who may read dashboards. */
export const publicPath = ({ path }: Pick<Dashboard, 'path'>, file: string) =>
  `/dashboards/${path.split('/').map(encodeURIComponent).join('/')}/${file}`
export const publicUrl = (dashboard: Pick<Dashboard, 'path'>, file: string) =>
  basePath + publicPath(dashboard, file)

async function readJson(path: string, signal: AbortSignal): Promise<unknown> {
  return (await send(path, { signal, headers: { Accept: 'application/json' } })).json()
}

/** Read anew once something else was published. */
export const editionsQuery = (dashboard: Published) =>
  queryOptions({
    queryKey: [...keys.one(dashboard), 'editions', dashboard.published ?? ''] as const,
    queryFn: async ({ signal }) =>
      readEditions(await readJson(publicPath(dashboard, 'v/index.json'), signal)),
  })

export const buildsQuery = (dashboard: Published) =>
  queryOptions({
    queryKey: [...keys.one(dashboard), 'builds', dashboard.published ?? ''] as const,
    queryFn: async ({ signal }) =>
      readBuilds(await readJson(publicPath(dashboard, 'builds/index.json'), signal)),
  })

/** Has all dashboards read anew, or what is known of one. */
export const refresh = (client: QueryClient) => client.invalidateQueries({ queryKey: keys.all })

/** Takes the pages of a product away, and what is known of it. */
export const remove = async ({ keeper, product }: ProductName) => {
  await api.DELETE('/api/v1/dashboards/{keeper}/{product}', { params: { path: { keeper, product } } })
}

/** Most products of a job. */
const MOST = 100

/** Makes jobs that rebuild these products, so many in each. `force`: also if nothing has changed. */
export function rebuild(products: readonly ProductName[], force = false) {
  const jobs = Array.from({ length: Math.ceil(products.length / MOST) }, (_, index) =>
    products.slice(index * MOST, (index + 1) * MOST),
  )
  return Promise.all(jobs.map((some) => createJob(rebuildRequest(some, force), newKey())))
}

export const rebuildRequest = (products: readonly ProductName[], force: boolean): Schema['NewJob'] => ({
  service: 'dashboard',
  run: true,
  runId: products.length === 1 ? `rebuild ${products[0]?.product ?? ''}`.slice(0, 64) : 'rebuild dashboards',
  parameters: {
    PRODUCT: products.map(({ keeper, product }) => `${keeper}/${product}`),
    ...(force ? { FORCE: 'true' } : {}),
  },
})
