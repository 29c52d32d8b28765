import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { lookSearch } from '@/shared/image/look'
import { count, ordinal, reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** Served with a policy of its own, in which Aladin can run: links to it load the page. */
export const viewerRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/viewer',
  /**
   * `src`: a result of a job; `hdu`: which part of the file, from 0; `plane`: of a cube, from 1; `others`: limits of the
   * parts that are not looked at now, such as `0:zscale;2:0,255`.
   */
  validateSearch: reads(z.object({ src: text, hdu: count, plane: ordinal, others: text, ...lookSearch })),
  component: lazyPage(() => import('@/features/viewer/ViewerPage').then(({ ViewerPage }) => ViewerPage)),
})
