import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { reads, text } from '@/shared/lib/search'
import { rootRoute } from './root'

/** Two jobs beside each other. */
export const compareRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/compare',
  validateSearch: reads(z.object({ a: text, b: text })),
  component: lazyRouteComponent(() => import('@/features/compare/ComparePage'), 'ComparePage'),
})
