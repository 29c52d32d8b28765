import { queryOptions } from '@tanstack/react-query'
import { api, content, type Schema } from '@/shared/api/client'

export const tokensQuery = queryOptions({
  queryKey: ['tokens'] as const,
  queryFn: ({ signal }) => content(api.GET('/account/token', { signal })),
})

export const providerQuery = queryOptions({
  queryKey: ['provider'] as const,
  queryFn: ({ signal }) => content(api.GET('/account/provider', { signal })),
  staleTime: Infinity,
})

export const createToken = (token: Schema['NewToken']) =>
  content(api.POST('/account/token/create', { body: token }))

export const revokeToken = (id: string) => api.DELETE('/account/token/{id}', { params: { path: { id } } })
