import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** Two jobs beside each other. */
export const compareRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/compare',
  validateSearch: reads(z.object({ a: text, b: text })),
  component: lazyPage(() => import('@/features/compare/ComparePage').then(({ ComparePage }) => ComparePage)),
})
