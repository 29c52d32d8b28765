import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { flag, oneOf, reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** All products. */
export const dashboardsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/dashboards/docs',
  validateSearch: reads(
    z.object({
      q: text,
      sort: oneOf(['title', 'latest', 'published', 'checked', 'editions', 'builds']),
      desc: flag,
    }),
  ),
  component: lazyPage(() =>
    import('@/features/dashboards/DashboardsPage').then(({ DashboardsPage }) => DashboardsPage),
  ),
})

/** A product of an LTD Keeper: its editions and the jobs of its dashboard. */
export const productRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/dashboards/docs/$keeper/$product',
  validateSearch: reads(z.object({ q: text, tab: oneOf(['history']) })),
  component: lazyPage(() =>
    import('@/features/dashboards/ProductPage').then(({ ProductPage }) => ProductPage),
  ),
})

/** `build`: one of them, which is shown. */
export const buildsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/dashboards/docs/$keeper/$product/builds',
  validateSearch: reads(z.object({ q: text, build: text })),
  component: lazyPage(() => import('@/features/dashboards/BuildsPage').then(({ BuildsPage }) => BuildsPage)),
})
