import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { api, content, type Schema } from '@/shared/api/client'

export type User = Schema['User']
export type Worker = Schema['Worker']
export type AuditEntry = Schema['AuditEntry']
export type AuditFilter = {
  action?: string | undefined
  actor?: string | undefined
  subject?: string | undefined
  /** Days, UTC: `2026-11-21`. */
  since?: string | undefined
  until?: string | undefined
}

/** A day as the server takes times: its beginning, or that of the next one. */
export const dayTime = (day: string | undefined, later = 0): string | undefined => {
  const time = day === undefined ? NaN : Date.parse(`${day}T00:00:00Z`) + later * 86_400_000
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

const PAGE = 100

export const adminKeys = { all: ['admin'] as const, users: ['admin', 'users'] as const }

export const queueQuery = queryOptions({
  queryKey: ['admin', 'queue'] as const,
  queryFn: ({ signal }) => content(api.GET('/api/v1/admin/queue', { signal })),
  refetchInterval: 5_000,
})

export const usersQuery = infiniteQueryOptions({
  queryKey: adminKeys.users,
  queryFn: ({ pageParam, signal }) =>
    content(
      api.GET('/api/v1/admin/users', {
        params: { query: { limit: PAGE, ...(pageParam === '' ? {} : { after: pageParam }) } },
        signal,
      }),
    ),
  initialPageParam: '',
  getNextPageParam: ({ items }) => (items.length < PAGE ? undefined : items.at(-1)?.name),
})

export const auditQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['admin', 'audit', filter] as const,
    queryFn: ({ pageParam, signal }) =>
      content(
        api.GET('/api/v1/admin/audit', {
          params: {
            query: {
              ...filter,
              since: dayTime(filter.since),
              until: dayTime(filter.until, 1),
              limit: PAGE,
              ...(pageParam === 0 ? {} : { before: pageParam }),
            },
          },
          signal,
        }),
      ),
    initialPageParam: 0,
    getNextPageParam: ({ items }) => (items.length < PAGE ? undefined : items.at(-1)?.id),
  })

export const drain = (id: string, on: boolean) =>
  on
    ? content(api.POST('/api/v1/admin/workers/{id}/drain', { params: { path: { id } } }))
    : content(api.POST('/api/v1/admin/workers/{id}/resume', { params: { path: { id } } }))

export const setLimits = (name: string, body: Schema['UserChange']) =>
  content(api.PATCH('/api/v1/admin/users/{name}', { params: { path: { name } }, body }))

export const endSessions = (name: string) =>
  content(api.DELETE('/api/v1/admin/users/{name}/sessions', { params: { path: { name } } }))
