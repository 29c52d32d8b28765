import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { ordinal, reads } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** For whoever has the link, signed in or not: nothing around it asks who they are. */
export const shareRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/share/$secret',
  /** `row`: the row of the manifest that is looked at. */
  validateSearch: reads(z.object({ row: ordinal })),
  component: lazyPage(() => import('@/features/share/SharedPage').then(({ SharedPage }) => SharedPage)),
})
