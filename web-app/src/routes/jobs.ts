import { createRoute } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { phaseNames } from '@/shared/api/phases'
import { manyOf, reads, text, texts } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const jobsRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs',
  validateSearch: reads(
    z.object({
      q: text,
      service: texts,
      phase: manyOf(phaseNames),
      after: text,
      before: text,
      owner: text,
    }),
  ),
  component: lazyPage(() => import('@/features/jobs/JobsPage').then(({ JobsPage }) => JobsPage)),
})
