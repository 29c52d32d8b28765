import { keepPreviousData, queryOptions, type QueryClient } from '@tanstack/react-query'
import { send } from '@/shared/api/client'
import { ApiError } from '@/shared/api/problem'
import { FitsError } from '@/shared/astro/header'
import type { Limits } from '@/shared/astro/stretch'
import { basePath } from '@/shared/config'
import type { FullLook } from './look'
import { MOST_BYTES } from './opened'
import type { FileInfo, Target } from './protocol'
import { imageReader } from './reader'

/** A file that can be opened: its key in the worker, its name for people, how to get at it, and where it is on the server. */
export type ImageSource = {
  key: string
  name: string
  load: (signal: AbortSignal) => Promise<Blob>
  href?: string
}

/** A result of a job, by its path on the server. */
export const resultSource = (path: string, name: string): ImageSource => ({
  key: path,
  name,
  href: basePath + path,
  load: async (signal) => {
    const response = await send(path, { signal })
    if (Number(response.headers.get('content-length') ?? 0) > MOST_BYTES)
      throw new FitsError(`${name} is too large to be looked at here. Download it.`)
    return response.blob()
  },
})

let locals = 0

/** A file that somebody has chosen: it goes nowhere. */
export const localSource = (file: File): ImageSource => ({
  key: `local ${(locals += 1)}`,
  name: file.name,
  load: () => Promise.resolve(file),
})

const OPENED = 'opened image'
const watched = new WeakSet<QueryClient>()

/** Lets go of files in the worker when nobody has looked at them for a while. */
function closeUnused(client: QueryClient) {
  if (watched.has(client)) return
  watched.add(client)
  client.getQueryCache().subscribe(({ type, query }) => {
    const [kind, key] = query.queryKey as readonly unknown[]
    if (type === 'removed' && kind === OPENED) void imageReader().ask('close', { key: String(key) })
  })
}

// What a file is does not change by asking again; only the way to it may get better.
const retry = (failures: number, error: Error) =>
  failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 500)

/** Opens a file in the worker; what is in it. */
export const openedQuery = ({ key, load }: ImageSource) =>
  queryOptions({
    queryKey: [OPENED, key] as const,
    queryFn: async ({ signal, client }): Promise<FileInfo> => {
      closeUnused(client)
      return imageReader().ask('open', { key, data: await load(signal) })
    },
    staleTime: Infinity,
    gcTime: 60_000,
    retry,
  })

/** An image as it is drawn. With `limits`, these instead of those of the look's rule. */
export const drawnQuery = (target: Target, look: FullLook, limits?: Limits) =>
  queryOptions({
    queryKey: ['drawn image', target, look, limits] as const,
    queryFn: () => imageReader().ask('draw', { ...target, look, limits }),
    staleTime: Infinity,
    // A picture is large and quickly drawn anew.
    gcTime: 5_000,
    retry: false,
    structuralSharing: false,
    placeholderData: keepPreviousData,
  })

/** What a rule for the limits means for an image. */
export const limitsQuery = (target: Target, cuts: string) =>
  queryOptions({
    queryKey: ['limits of image', target, cuts] as const,
    queryFn: () => imageReader().ask('limits', { ...target, cuts }),
    staleTime: Infinity,
    gcTime: 60_000,
    retry: false,
  })

/** The value of a pixel, as FITS counts; null if there is none. */
export const pixelValue = (target: Target, x: number, y: number) =>
  imageReader().ask('value', { ...target, x: x - 1, y: y - 1 })
