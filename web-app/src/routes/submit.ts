import { createRoute, redirect } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { flag, reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

/** `service`: of which; `from`: a job to begin with; `failed`: only its rows that failed; `sample`: an example. */
const search = z.object({ service: text, from: text, failed: flag, sample: flag })

export const submitRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/cutout',
  validateSearch: reads(search),
  component: lazyPage(() => import('@/features/submit/SubmitPage').then(({ SubmitPage }) => SubmitPage)),
})

export const newJobRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/jobs/new',
  validateSearch: reads(search),
  beforeLoad: ({ search: asked }) => {
    redirect({ to: '/cutout', search: asked, replace: true, throw: true })
  },
})
