import { createRoute } from '@tanstack/react-router'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const homeRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/',
  component: lazyPage(() => import('@/features/home/HomePage').then(({ HomePage }) => HomePage)),
})
