import { queryOptions } from '@tanstack/react-query'
import { api, content, type Schema } from '@/shared/api/client'
import type { JobRequest } from '@/shared/lib/snippets'
import { bodyOf } from './form'

/** A page of what a job would find. */
export type Checked = Schema['Checked']

/** Rows that are told one by one. */
const PAGE = 1_000

/** Services that can tell beforehand what a job of theirs would find. */
export const canCheck = (service: string) => service === 'cutout'

export const checkQuery = (request: JobRequest) =>
  queryOptions({
    queryKey: ['check', request.service, request.parameters] as const,
    queryFn: ({ signal }) =>
      content(
        api.POST('/api/v1/cutout/check', {
          params: { query: { limit: PAGE, problems: true } },
          body: bodyOf(request),
          signal,
        }),
      ),
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

/** Images that are looked at for words to offer. */
const LOOKED_AT = 200

export type Words = Record<'BANDS' | 'TYPES' | 'TAGS', string[]>

/** Bands, types and observations of images, to offer. A collection does not tell all that it has. */
export const wordsQuery = (collections: readonly string[]) =>
  queryOptions({
    queryKey: ['cutout', 'words', collections] as const,
    queryFn: async ({ signal }): Promise<Words> => {
      const pages = await Promise.all(
        collections.map((name) =>
          content(
            api.GET('/api/v1/cutout/collections/{name}/images', {
              params: { path: { name }, query: { limit: LOOKED_AT } },
              signal,
            }),
          ),
        ),
      )
      const images = pages.flatMap(({ items }) => items)
      const distinct = (values: (string | null | undefined)[]) =>
        [...new Set(values.filter((value) => value != null))].sort()
      return {
        BANDS: distinct(images.map(({ band }) => band)),
        TYPES: distinct(images.map(({ type }) => type)),
        TAGS: distinct(images.map(({ obs }) => obs)),
      }
    },
    staleTime: 5 * 60_000,
  })
