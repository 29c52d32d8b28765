import { queryOptions } from '@tanstack/react-query'
import { api, content, type Schema } from './client'
import { signedIn } from './session'

export type Me = Schema['Me']
export type Service = Schema['Service']
export type ParameterInfo = Schema['ParameterInfo']

export const meQuery = queryOptions({
  queryKey: ['me'] as const,
  queryFn: async ({ signal }) => {
    const me = await content(api.GET('/api/v1/me', { signal }))
    signedIn()
    return me
  },
  staleTime: 60_000,
})

export const servicesQuery = queryOptions({
  queryKey: ['services'] as const,
  queryFn: ({ signal }) => content(api.GET('/api/v1/services', { signal })),
  // They change when the server starts anew.
  staleTime: 10 * 60_000,
})

export const isOperator = (me: Me) => me.roles.includes('operator') || me.roles.includes('admin')
export const isAdmin = (me: Me) => me.roles.includes('admin')
