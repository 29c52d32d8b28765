import { createRoute } from '@tanstack/react-router'
import { lazyPage } from '@/shared/lib/lazy-page'
import { rootRoute } from './root'

export const helpRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/help',
  component: lazyPage(() => import('@/features/help/HelpPage').then(({ HelpPage }) => HelpPage)),
})
