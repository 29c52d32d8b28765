import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { oneOf, ordinal, reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const jobRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/$jobId',
  /**
   * `row`: the row of the manifest that is chosen; `line`: a line of the log. `stretch`, `range`, `order` and `size`
   * are of pictures: a stretch of the server's, `LOW,HIGH` for all, and how they are laid out.
   */
  validateSearch: reads(
    z.object({
      tab: oneOf(['files', 'log', 'request', 'shares']),
      row: ordinal,
      show: oneOf(['ok', 'failed', 'waiting']),
      line: ordinal,
      find: text,
      stretch: text,
      range: text,
      order: oneOf(['name', 'band', 'ra', 'dec']),
      size: oneOf(['s', 'l']),
    }),
  ),
  component: lazyPage(() => import('@/features/job/JobPage').then(({ JobPage }) => JobPage)),
})
