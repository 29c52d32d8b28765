import { expect, onTestFinished } from 'vitest'
import type { Page } from 'playwright-core'
import { Archive } from '../harness/archive.ts'
import { test } from '../harness/fixtures.ts'
import { Relay } from '../harness/relay.ts'
import { Server } from '../harness/server.ts'
import { imageOf, listOf, stars } from '../harness/sky.ts'

/** A job that runs until it is ended. */
const endless = { service: 'echo', parameters: { SLEEP: ['3600'] } }

/** What a screen reader is told of the job on its page. */
const told = (page: Page, text: string | RegExp) => page.getByRole('status').filter({ hasText: text }).first()

const isLive = (page: Page) => page.getByText('Live', { exact: true }).waitFor()

test('10: a job is seen to be queued, run and complete, by the stream of events alone', async ({ open }) => {
  const server = await Server.start({ SIDEREAL_WORKERS: '1' })
  onTestFinished(() => server.remove())
  const archive = await Archive.start({ 'a.fits': imageOf({ obs: 'a' }) })
  onTestFinished(() => archive.close())
  await server.command('ingest', 'far', ...archive.urls)
  archive.hold('a.fits')
  const before = await server.job(endless)
  await server.until(before, 'EXECUTING')
  const id = await server.job({
    service: 'cutout',
    runId: 'watched',
    parameters: { COLLECTION: ['far'], SIZE: ['1'], POSITIONS: [listOf(stars)] },
  })
  const { page } = await open(server)
  await page.goto(`jobs/${id}`)
  await isLive(page)
  await told(page, 'watched: Queued').waitFor()
  await page.getByText('Next in the queue').waitFor()

  await server.abort(before)
  await told(page, 'watched: Running').waitFor()
  archive.release('a.fits')
  await told(page, 'watched: Completed').waitFor()
  await page.getByRole('tab', { name: /^Files/ }).waitFor()
  await expect
    .poll(() =>
      page
        .getByRole('button', { name: 'Use again' })
        .or(page.getByRole('link', { name: 'Use again' }))
        .count(),
    )
    .toBe(1)
})

test('11: a stream that is cut goes on where it was, without a gap', async ({ open }) => {
  const relay = await Relay.start()
  onTestFinished(() => relay.close())
  const server = await Server.start({ SIDEREAL_PUBLIC_URL: relay.address })
  onTestFinished(() => server.remove())
  relay.to(server.listens)
  const running = await server.job({ ...endless, runId: 'running' })
  await server.until(running, 'EXECUTING')
  const { page, context, guard } = await open(server)
  guard.expect(/ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET)/)
  const streams: (string | undefined)[] = []
  context.on('request', (request) => {
    if (new URL(request.url()).pathname !== '/api/v1/events') return
    void request.allHeaders().then(
      (headers) => streams.push(headers['last-event-id']),
      () => undefined,
    )
  })
  await page.goto('jobs')
  await isLive(page)
  const row = (name: string) => page.getByRole('row').filter({ hasText: name })
  await row('running').filter({ hasText: 'Running' }).waitFor()
  // One that is told, so that there is a last event to go on from.
  const first = await server.completed({ service: 'echo', runId: 'before the cut' })
  await row('before the cut').filter({ hasText: 'Completed' }).waitFor()

  relay.cut()
  await page.getByText('Connecting', { exact: true }).waitFor()
  await server.abort(running)
  await server.completed({ service: 'echo', runId: 'during the cut' })
  await server.fetch(`/api/v1/jobs/${first.jobId}`, { method: 'DELETE' })
  relay.mend()
  await isLive(page)
  await row('running').filter({ hasText: 'Aborted' }).waitFor()
  await row('during the cut').filter({ hasText: 'Completed' }).waitFor()
  await expect.poll(() => row('before the cut').count()).toBe(0)
  // The first asked for all from then on; the last for what it had missed.
  expect(streams[0]).toBeUndefined()
  expect(streams.at(-1)).toBeTruthy()
})

test('12: eight tabs share one stream, are all told, and stay quick to use', async ({
  page,
  person,
  server,
}) => {
  const id = await server.job({ ...endless, runId: 'for all tabs' })
  onTestFinished(() => server.abort(id))
  await server.until(id, 'EXECUTING')
  let streams = 0
  person.context.on('request', (request) => {
    if (new URL(request.url()).pathname === '/api/v1/events') streams += 1
  })
  const tabs = [page]
  while (tabs.length < 8) tabs.push(await person.context.newPage())
  for (const tab of tabs) {
    await tab.goto(`jobs/${id}`)
    await told(tab, 'for all tabs: Running').waitFor()
  }
  await server.abort(id)
  await Promise.all(tabs.map((tab) => told(tab, 'for all tabs: Aborted').waitFor()))
  expect(streams).toBe(1)
  // A browser gives a server six connections at once: eight streams would have left none for this.
  const last = tabs.at(-1) ?? page
  await last.getByRole('link', { name: 'Jobs' }).click()
  await last.getByRole('row').filter({ hasText: 'for all tabs' }).waitFor()

  // The tab that had the stream goes; the others are told all the same.
  await page.close()
  const later = await server.completed({ service: 'echo', runId: 'later' })
  await last
    .getByRole('row')
    .filter({ hasText: later.runId ?? '' })
    .waitFor()
  await expect.poll(() => streams).toBe(2)
})

test('13: what is cut can be used while the rest of the job runs', async ({ page, server }) => {
  const archive = await Archive.start({
    'one.fits': imageOf({ obs: 'one' }),
    'two.fits': imageOf({ obs: 'two' }),
  })
  onTestFinished(() => archive.close())
  // One after the other, which is the order that they are cut in.
  for (const url of archive.urls) await server.command('ingest', 'partly', url)
  archive.hold('two.fits')
  const id = await server.job({
    service: 'cutout',
    runId: 'partly there',
    parameters: { COLLECTION: ['partly'], SIZE: ['1'], POSITIONS: [listOf(stars)] },
  })
  await page.goto(`jobs/${id}?tab=files`)
  await told(page, 'partly there: Running').waitFor()
  const file = page.getByRole('table', { name: 'Files' }).getByRole('link', { name: /\.fits$/ })
  await file.first().waitFor()
  const [download] = await Promise.all([page.waitForEvent('download'), file.first().click()])
  expect(await download.failure()).toBeNull()
  expect((await server.find(id)).phase).toBe('EXECUTING')
  archive.release()
  await told(page, 'partly there: Completed').waitFor()
  await page.getByRole('table', { name: 'Files' }).getByRole('link', { name: 'manifest.json' }).waitFor()
})
