import * as z from 'zod/mini'

/**
 * The JSON of a dashboard, which is published beside its pages and is no part of the API's description: read before it
 * is believed. What there is more in it is left out.
 */

/** A URL that may be a link; undefined for none, and for any other scheme: LTD Keeper's data are others'. */
export function webUrl(text: string | null | undefined): string | undefined {
  if (text == null || !URL.canParse(text)) return undefined
  const { protocol, href } = new URL(text)
  return protocol === 'https:' || protocol === 'http:' ? href : undefined
}

const link = z.pipe(
  z.nullish(z.string()),
  z.transform((text) => webUrl(text)),
)
const maybe = z.nullish(z.string())
const time = z.nullish(z.string().check(z.refine((text) => !Number.isNaN(Date.parse(text)))))
const gitRefs = z.array(z.object({ name: z.string(), source: link }))

const about = z.object({
  slug: z.string(),
  title: z.string(),
  handle: maybe,
  series: maybe,
  published_url: link,
  doc_repo: link,
})

const edition = z.object({
  slug: z.string(),
  title: maybe,
  pre_release: z.boolean(),
  url: link,
  date_rebuilt: time,
  refs: gitRefs,
  mode: maybe,
  rebuilding: z.boolean(),
  built: z.boolean(),
  build: maybe,
  author: maybe,
  ticket: maybe,
})

const build = z.object({
  slug: z.string(),
  url: link,
  date_created: time,
  refs: gitRefs,
  author: maybe,
  uploaded: z.boolean(),
  ticket: maybe,
  editions: z.array(z.string()),
})

const version = z.literal(1)
/** A kind is a word for grouping; one that is not known has a title all the same. */
const group = z.object({ kind: z.string(), title: z.string(), editions: z.array(edition) })

const editionsDocument = z.object({
  schema_version: version,
  product: about,
  groups: z.array(group),
  warnings: z.array(z.string()),
})
const buildsDocument = z.object({ schema_version: version, product: about, builds: z.array(build) })

export type GitRef = z.output<typeof gitRefs>[number]
export type Edition = z.output<typeof edition>
export type Build = z.output<typeof build>
export type Group = z.output<typeof group>
export type About = z.output<typeof about>
export type EditionsDocument = z.output<typeof editionsDocument>
export type BuildsDocument = z.output<typeof buildsDocument>

export const readEditions = (value: unknown): EditionsDocument => editionsDocument.parse(value)
export const readBuilds = (value: unknown): BuildsDocument => buildsDocument.parse(value)

/** Where somebody is found on GitHub, if they can be there. */
export const profileUrl = (name: string) =>
  /^[A-Za-z0-9-]{1,39}$/.test(name) ? `https://github.com/${name}` : undefined

/** A URL as people read it. */
export const shownUrl = (url: string) => url.replace(/^https?:\/\//, '').replace(/\/$/, '')
