import { createRoute } from '@tanstack/react-router'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const profileRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/profile',
  component: lazyPage(() => import('@/features/profile/ProfilePage').then(({ ProfilePage }) => ProfilePage)),
})
