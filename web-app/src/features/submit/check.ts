import { queryOptions } from '@tanstack/react-query'
import { api, content, send } from '@/shared/api/client'
import type { JobRequest } from '@/shared/lib/snippets'
import { bodyOf } from './form'

/** A page of what a job would find: `POST /api/v1/cutout/check`. */
export type Checked = {
  accepted: boolean
  faults: { parameter: string; row?: number | null; message: string }[]
  unused: string[]
  positions: number
  unmatched: number
  failures: number
  files: number
  bytes: number
  exact: boolean
  rows: CheckedRow[]
  next?: string | null
  quota: { positions: number; queued?: number | null; storedBytes?: number | null }
}

export type CheckedRow = {
  row: number
  id: string
  ra?: number | null
  dec?: number | null
  images: number
  failures: number
  bytes: number
  problem?: string | null
}

/** Rows that are told one by one. */
const PAGE = 1_000

/** Services that can tell beforehand what a job of theirs would find. */
export const canCheck = (service: string) => service === 'cutout'

export const checkQuery = (request: JobRequest) =>
  queryOptions({
    queryKey: ['check', request.service, request.parameters] as const,
    queryFn: async ({ signal }) => {
      const response = await send(`/api/v1/${request.service}/check?limit=${PAGE}&problems=true`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(bodyOf(request)),
        signal,
      })
      return (await response.json()) as Checked
    },
    staleTime: 60_000,
    gcTime: 60_000,
    retry: false,
  })

export const collectionsQuery = queryOptions({
  queryKey: ['cutout', 'collections'] as const,
  queryFn: ({ signal }) => content(api.GET('/api/v1/cutout/collections', { signal })),
  staleTime: 5 * 60_000,
})

/** Outlines that are drawn: a map of more would be one colour. */
const OUTLINES = 400

/** Where the images of collections lie: vertices as right ascension and declination, degrees. */
export const footprintsQuery = (collections: readonly string[]) =>
  queryOptions({
    queryKey: ['cutout', 'footprints', collections] as const,
    queryFn: async ({ signal }) => {
      const pages = await Promise.all(
        collections.map((name) =>
          content(
            api.GET('/api/v1/cutout/collections/{name}/footprints', { params: { path: { name } }, signal }),
          ),
        ),
      )
      return pages.flatMap(({ items }) => items.map(({ polygon }) => polygon)).slice(0, OUTLINES)
    },
    staleTime: 5 * 60_000,
  })
