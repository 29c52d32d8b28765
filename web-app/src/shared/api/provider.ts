import { queryOptions } from '@tanstack/react-query'
import { ask, type Schema } from './client'

/** Whether people sign in here, and where: told to everybody. */
export const providerQuery = queryOptions({
  queryKey: ['provider'] as const,
  queryFn: async ({ signal }) => {
    const headers = { Accept: 'application/json' }
    return (await (await ask('/account/provider', { signal, headers })).json()) as Schema['Provider']
  },
  // It changes when the server starts anew.
  staleTime: 'static',
})
