import { createRoute, redirect } from '@tanstack/react-router'
import * as z from 'zod/mini'
import { reads, text } from '@/shared/lib/search'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const adminStartRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/admin',
  beforeLoad: () => {
    redirect({ to: '/admin/$part', params: { part: 'queue' }, replace: true, throw: true })
  },
})

export const adminRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/admin/$part',
  validateSearch: reads(z.object({ action: text, actor: text, subject: text, since: text, until: text })),
  component: lazyPage(() => import('@/features/admin/AdminPage').then(({ AdminPage }) => AdminPage)),
})
