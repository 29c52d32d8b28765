import type { Page } from 'playwright-core'
import type { Server } from './server.ts'
import { listOf, nowhere, stars } from './sky.ts'

/** Jobs in the states that pages show. */
export type Jobs = { done: string; other: string; failed: string; running: string }

export async function makeJobs(server: Server): Promise<Jobs> {
  const parameters = { COLLECTION: ['sky'], SIZE: ['1'], POSITIONS: [listOf([...stars, nowhere])] }
  const fewer = { ...parameters, POSITIONS: [listOf(stars.slice(1))], BANDS: ['90GHz'] }
  const [done, other, failed, running] = await Promise.all([
    server.job({ service: 'cutout', runId: 'five stars', parameters }),
    server.job({ service: 'cutout', runId: 'four stars', parameters: fewer }),
    server.job({ service: 'echo', runId: 'broken', parameters: { FAIL: ['fatal'] } }),
    server.job({ service: 'echo', runId: 'running', parameters: { SLEEP: ['3600'] } }),
    server.job({ service: 'echo', runId: 'waiting', run: false }),
  ])
  await server.until(done, 'COMPLETED')
  await server.until(other, 'COMPLETED')
  await server.until(failed, 'ERROR')
  await server.until(running, 'EXECUTING')
  return { done, other, failed, running }
}

/** A page of the app: where it is, and what is there when it is whole. */
export type Place = {
  name: string
  path: (jobs: Jobs) => string
  whole: (page: Page) => Promise<unknown>
}

const text = (words: string | RegExp) => (page: Page) => page.getByText(words).first().waitFor()
const table = (name: string | RegExp) => (page: Page) =>
  page.getByRole('table', { name }).getByRole('row').nth(1).waitFor()

const resultOf = (job: string) => encodeURIComponent(`/api/cutout/async/${job}/results/alpha_90GHz_obs1.fits`)

/** Every route, with the states of it that look different. */
export const places: readonly Place[] = [
  { name: 'home', path: () => './', whole: text('five stars') },
  { name: 'new job, empty', path: () => 'cutout', whole: text('Nothing is asked for yet.') },
  { name: 'new job, with a list', path: () => 'cutout?sample=true', whole: table('Rows of the list') },
  { name: 'new job of echo', path: () => 'cutout?service=echo', whole: text('Ready.') },
  { name: 'jobs', path: () => 'jobs', whole: table('Jobs, newest first') },
  { name: 'jobs, none', path: () => 'jobs?q=none', whole: text('No job matches') },
  { name: 'job', path: ({ done }) => `jobs/${done}`, whole: table('Rows of the job') },
  {
    name: 'job, what failed',
    path: ({ done }) => `jobs/${done}?show=failed`,
    whole: table('Rows of the job'),
  },
  { name: 'job, files', path: ({ done }) => `jobs/${done}?tab=files`, whole: table('Files') },
  {
    name: 'job, log',
    path: ({ done }) => `jobs/${done}?tab=log`,
    whole: (page) => page.getByRole('log').getByRole('link').first().waitFor(),
  },
  { name: 'job, request', path: ({ done }) => `jobs/${done}?tab=request`, whole: text('For machines') },
  { name: 'job, sharing', path: ({ done }) => `jobs/${done}?tab=shares`, whole: text('There are none.') },
  { name: 'job that failed', path: ({ failed }) => `jobs/${failed}`, whole: text('Times and limits') },
  { name: 'job that runs', path: ({ running }) => `jobs/${running}`, whole: text('Times and limits') },
  {
    name: 'position',
    path: ({ done }) => `jobs/${done}/objects/1`,
    whole: (page) => page.getByRole('application', { name: /^alpha/ }).waitFor(),
  },
  {
    name: 'position that failed',
    path: ({ done }) => `jobs/${done}/objects/6`,
    whole: text(/no image/i),
  },
  {
    name: 'two jobs',
    path: ({ done, other }) => `jobs/compare?a=${done}&b=${other}`,
    whole: text('four stars'),
  },
  { name: 'viewer, empty', path: () => 'viewer', whole: text('Look at a FITS file') },
  {
    name: 'viewer',
    path: ({ done }) => `viewer?src=${resultOf(done)}`,
    whole: (page) => page.getByRole('application').waitFor(),
  },
  { name: 'dashboards, none', path: () => 'dashboards/docs', whole: text('No dashboard yet') },
  { name: 'profile', path: () => 'profile', whole: text('This browser') },
  { name: 'queue', path: () => 'admin/queue', whole: text('Places to run') },
  { name: 'workers', path: () => 'admin/workers', whole: table('Workers') },
  { name: 'people', path: () => 'admin/users', whole: text(/Nobody yet|local/) },
  { name: 'audit', path: () => 'admin/audit', whole: text(/Nothing is recorded|When/) },
  { name: 'help', path: () => 'help', whole: text('The licences of what these pages are made of') },
  { name: 'signed in', path: () => 'signed-in', whole: text('You are signed in') },
  { name: 'no such page', path: () => 'nowhere', whole: text('There is no such page') },
]
