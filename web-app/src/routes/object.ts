import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { lookSearch } from '@/shared/image/look'
import { oneOf, ordinal, reads } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** A position of a cutout job: `row` is its row of the list, from 1. */
export const objectRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/$jobId/objects/$row',
  /** `at`: which of its cutouts; `over`: what is blinked; `limits`: of each picture its own. */
  validateSearch: reads(
    z.object({ at: ordinal, over: oneOf(['bands', 'all']), limits: oneOf(['own']), ...lookSearch }),
  ),
  component: lazyPage(() => import('@/features/object/ObjectPage').then(({ ObjectPage }) => ObjectPage)),
})
