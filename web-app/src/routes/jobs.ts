import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { phaseNames } from '@/shared/api/phases'
import { manyOf, reads, text, texts } from '@/shared/lib/search'
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
  component: lazyRouteComponent(() => import('@/features/jobs/JobsPage'), 'JobsPage'),
})
