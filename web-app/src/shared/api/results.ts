import { queryOptions } from '@tanstack/react-query'
import { basePath } from '@/shared/config'
import { send, type Schema } from './client'
import { jobKeys, type Job } from './jobs'

/** A row of a cutout job's manifest: a position on an image. Design, section 8. */
export type ManifestRow = {
  row: number
  id: string
  ra: number | null
  dec: number | null
  image: string | null
  collection: string | null
  band: string | null
  obs: string | null
  type: string | null
  hdu: string | null
  status: 'ok' | 'failed'
  reason: string | null
  message: string | null
  coverage: number | null
  file: string | null
  size: number | null
  sha256: string | null
  /** Name of the light curve of the position (FITS; the CSV is named alike), if one was asked for. */
  lightcurve?: string | null
}

export type Manifest = { counts: { ok: number; failed: number }; rows: ManifestRow[] }

/** Why a cutout was not made, for people. */
const reasons = new Map([
  ['outside_footprint', 'On no image'],
  ['no_matching_image', 'On no image that was asked for'],
  ['zero_weight', 'No pixel with a weight'],
  ['no_wcs', 'The image has no coordinates'],
  ['source_unreadable', 'The image cannot be read'],
  ['source_changed', 'The image was changed meanwhile'],
  ['too_large', 'Too large'],
  ['no_blank', 'No value is left to pad with'],
  ['cancelled', 'Was ended before'],
])

/** A reason in words; one that is not known, as it is named. */
export const reasonWords = (reason: string | null) => reasons.get(reason ?? '') ?? reason ?? 'No reason given'

/** The page that looks at a FITS result: with another policy, so that links to it load a document. */
export const viewerUrl = (job: JobPath, name: string) =>
  `${basePath}/app/viewer?${new URLSearchParams({ src: resultUrl(job, name) }).toString()}`

export type JobPath = Pick<Job, 'service' | 'jobId'>

export const resultPath = ({ service, jobId }: JobPath, name: string) =>
  `/api/${service}/async/${encodeURIComponent(jobId)}/results/${encodeURIComponent(name)}`

export const resultUrl = (job: JobPath, name: string) => basePath + resultPath(job, name)

/** How a picture is to be drawn: its longest side in pixels, a stretch, and its first and last value, `LOW,HIGH`. */
export const drawing = (side: number, stretch?: string, cuts?: string) =>
  new URLSearchParams({
    SIDE: String(side),
    ...(stretch === undefined ? {} : { STRETCH: stretch }),
    ...(cuts === undefined ? {} : { CUTS: cuts }),
  }).toString()

/** A picture of a FITS result. */
export const previewUrl = ({ jobId }: JobPath, name: string, side: number, stretch?: string, cuts?: string) =>
  `${basePath}/api/v1/jobs/${jobId}/results/${encodeURIComponent(name)}/preview?${drawing(side, stretch, cuts)}`

/** Whether a result is a picture as it is, which nothing needs to draw. */
export const isPicture = (name: string) => /\.(png|jpe?g)$/i.test(name)

/** What shows a result: itself, or how the server draws it. */
export const shownUrl = (job: JobPath, name: string, side: number, stretch?: string, cuts?: string) =>
  isPicture(name) ? resultUrl(job, name) : previewUrl(job, name, side, stretch, cuts)

/** Where the results of a job are for who looks at it. */
export type ResultUrls = {
  file: (name: string) => string
  /** What shows a result, its longest side in pixels. */
  picture: (name: string, side: number, stretch?: string, cuts?: string) => string
}

/** For those who may read the job. */
export const ownUrls = (job: JobPath): ResultUrls => ({
  file: (name) => resultUrl(job, name),
  picture: (name, ...how) => shownUrl(job, name, ...how),
})

/** A colour picture of three bands of a position (the job's RGB); `of` is what the position is called in its name. */
export type ColourPicture = { file: string; of: string }

export function colourPictures(results: readonly { id: string }[]): ColourPicture[] {
  return results.flatMap(({ id: file }) => {
    const [, of] = /^(.+)_rgb(?:_\d+)?\.png$/.exec(file) ?? []
    return of === undefined ? [] : [{ file, of }]
  })
}

/** What a position's name is in the names of files. */
export const inFileNames = (text: string) => text.replace(/[^A-Za-z0-9.+_-]/g, '_').replace(/^\./, '_')

/** The bands of which a job was asked for colour pictures; empty if it was not. */
export const colourBands = ({ parameters }: Pick<Job, 'parameters'>) =>
  parameters.find(({ id, value }) => id.toUpperCase() === 'RGB' && value !== '')?.value ?? ''

/** The colour pictures of a job, if it was asked for any. */
export const colourPicturesQuery = (job: Job, isRunning: boolean) => ({
  ...resultsQuery(job, isRunning),
  select: colourPictures,
  enabled: colourBands(job) !== '',
})

const named = (files: readonly string[]): [string, string][] => files.map((file) => ['file', file])

/** All results as one file, or those that are named. */
export const archiveUrl = ({ jobId }: JobPath, format: 'zip' | 'tar', files: readonly string[] = []) => {
  const query = new URLSearchParams([['format', format], ...named(files)])
  return `${basePath}/api/v1/jobs/${jobId}/archive?${query.toString()}`
}

/** A script for a shell that fetches them, and goes on where it stopped. */
export const scriptUrl = ({ jobId }: JobPath, files: readonly string[] = []) => {
  const query = new URLSearchParams(named(files)).toString()
  return `${basePath}/api/v1/jobs/${jobId}/script${query === '' ? '' : `?${query}`}`
}

/**
 * All results of a job: its own document leaves out most of them where there are many. While it runs more come; a long
 * list costs more to read, and is read less often.
 */
export const resultsQuery = (job: JobPath, isRunning: boolean) =>
  queryOptions({
    queryKey: jobKeys.results(job.jobId),
    queryFn: async ({ signal }) => {
      const headers = { Accept: 'application/json' }
      const response = await send(`/api/${job.service}/async/${job.jobId}/results`, { signal, headers })
      return ((await response.json()) as Schema['ResultList']).results
    },
    refetchInterval: (query) => (isRunning ? 2_000 + 2 * (query.state.data?.length ?? 0) : false),
  })

export const hasManifest = (job: Pick<Job, 'results'>) => job.results.some(({ id }) => id === 'manifest.json')

export const manifestQuery = (job: JobPath) =>
  queryOptions({
    queryKey: [...jobKeys.detail(job.jobId), 'manifest'] as const,
    queryFn: async ({ signal }) => {
      const response = await send(resultPath(job, 'manifest.json'), { signal })
      return (await response.json()) as Manifest
    },
    // A result never changes.
    staleTime: 'static',
  })

/** The text of a result. */
export const resultTextQuery = (job: JobPath, name: string) =>
  queryOptions({
    queryKey: [...jobKeys.detail(job.jobId), 'text', name] as const,
    queryFn: async ({ signal }) => (await send(resultPath(job, name), { signal })).text(),
    staleTime: 'static',
  })

/** The text of a parameter, also of one that is told by its address. */
export async function parameterText(
  job: JobPath,
  { id, value, byReference }: Job['parameters'][number],
): Promise<string> {
  if (!byReference) return value
  const response = await send(`/api/${job.service}/async/${job.jobId}/parameters/${encodeURIComponent(id)}`)
  return response.text()
}

export const parameterTextQuery = (job: JobPath, parameter: Job['parameters'][number]) =>
  queryOptions({
    queryKey: [...jobKeys.detail(job.jobId), 'parameter', parameter.id] as const,
    queryFn: () => parameterText(job, parameter),
    staleTime: 'static',
  })
