import { createRoute } from '@tanstack/react-router'
import { unfolded } from '@/features/jobs/filter'
import * as z from 'zod/mini'
import { phaseNames } from '@/shared/api/phases'
import { manyOf, reads, text, texts } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

const search = reads(
  z.object({
    q: text,
    service: texts,
    phase: manyOf(phaseNames),
    after: text,
    before: text,
    owner: text,
  }),
)

export const jobsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs',
  validateSearch: (raw: Record<string, unknown>) => unfolded(search(raw)),
  component: lazyPage(() => import('@/features/jobs/JobsPage').then(({ JobsPage }) => JobsPage)),
})
