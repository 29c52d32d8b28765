import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { oneOf, ordinal, reads, text } from '@/shared/lib/search'
import { rootRoute } from './root'

export const jobRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/$jobId',
  /** `row`: the row of the manifest that is chosen; `line`: a line of the log. */
  validateSearch: reads(
    z.object({
      tab: oneOf(['files', 'log', 'request', 'shares']),
      row: ordinal,
      show: oneOf(['ok', 'failed']),
      line: ordinal,
      find: text,
    }),
  ),
  component: lazyRouteComponent(() => import('@/features/job/JobPage'), 'JobPage'),
})
