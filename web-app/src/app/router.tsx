import type { QueryClient } from '@tanstack/react-query'
import { createRouter } from '@tanstack/react-router'
import { useEffect } from 'react'
import { basePath } from '@/shared/config'
import { PartMissing } from '@/shared/lib/lazy-page'
import { parseSearch, stringifySearch } from '@/shared/lib/search'
import { ErrorPanel, Loading } from '@/shared/ui/States'
import { adminRoute, adminStartRoute } from '@/routes/admin'
import { compareRoute } from '@/routes/compare'
import { buildsRoute, dashboardsRoute, productRoute } from '@/routes/dashboards'
import { helpRoute } from '@/routes/help'
import { homeRoute } from '@/routes/home'
import { jobRoute } from '@/routes/job'
import { jobsRoute } from '@/routes/jobs'
import { objectRoute } from '@/routes/object'
import { profileRoute } from '@/routes/profile'
import { rootRoute } from '@/routes/root'
import { shareRoute } from '@/routes/share'
import { signedInRoute } from '@/routes/signed-in'
import { newJobRoute, submitRoute } from '@/routes/submit'
import { viewerRoute } from '@/routes/viewer'
import { NotFound } from './NotFound'
import { Shell } from './shell/Shell'

rootRoute.update({ component: Shell })

const routeTree = rootRoute.addChildren([
  homeRoute,
  submitRoute,
  newJobRoute,
  jobsRoute,
  compareRoute,
  jobRoute,
  objectRoute,
  dashboardsRoute,
  productRoute,
  buildsRoute,
  profileRoute,
  adminStartRoute,
  adminRoute,
  helpRoute,
  viewerRoute,
  shareRoute,
  signedInRoute,
])

export const createAppRouter = (queryClient: QueryClient) =>
  createRouter({
    routeTree,
    basepath: `${basePath}/app`,
    context: { queryClient },
    parseSearch,
    stringifySearch,
    defaultPreload: 'intent',
    // What is read beforehand is kept by the queries.
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
    defaultNotFoundComponent: NotFound,
    defaultErrorComponent: RouteError,
    defaultPendingComponent: () => <Loading what="Opening the page" />,
    defaultPendingMs: 300,
  })

function RouteError({ error, reset }: { error: unknown; reset: () => void }) {
  // Also when one goes elsewhere: who comes back wants to see it then.
  useEffect(() => () => forget(error), [error])
  const retry = () => {
    forget(error)
    reset()
  }
  return <ErrorPanel error={error} retry={retry} />
}

const forget = (error: unknown) => {
  if (error instanceof PartMissing) error.forget()
}

declare module '@tanstack/react-router' {
  // The router's types are found through this name. It must be an interface to be merged.
  // eslint-disable-next-line @typescript-eslint/consistent-type-definitions
  interface Register {
    router: ReturnType<typeof createAppRouter>
  }
}
