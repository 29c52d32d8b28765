import { readFile } from 'node:fs/promises'
import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessible, expectAccessibleEverywhere, settled } from '../harness/axe.ts'
import { loginTest, test as plain } from '../harness/fixtures.ts'
import { makeJobs, type Jobs } from '../harness/places.ts'
import { askedPaths, keptBy, share } from '../harness/shares.ts'
import { signIn } from '../harness/sign-in.ts'
import { listOf, stars } from '../harness/sky.ts'
import { desktop, expectNothingSideways, phone } from '../harness/widths.ts'

const test = plain.extend<{ jobs: Jobs }>({
  jobs: [async ({ server }, use) => use(await makeJobs(server)), { scope: 'file' }],
})

const title = (page: Page, name: string) => page.getByRole('heading', { name, level: 1 }).waitFor()
const noLink = (page: Page) => page.getByRole('heading', { name: 'This link leads nowhere' }).waitFor()

/** What the page has drawn: pictures that the server has made. */
const drawn = (page: Page) =>
  page.waitForFunction(() => {
    const all = [...document.querySelectorAll('img')]
    return all.length > 1 && all.every(({ complete, naturalWidth }) => complete && naturalWidth > 0)
  })

test('a link opens a page of the job, which a browser is sent to and programs are not', async ({
  page,
  server,
  jobs,
}) => {
  const { path, secret } = await share(server, jobs.done)
  const asked = askedPaths(page)
  const answer = await page.goto(server.address + path)
  await title(page, 'five stars')
  expect(new URL(page.url()).pathname).toBe(`/app/share/${secret}`)
  expect(answer?.headers()['referrer-policy']).toBe('no-referrer')
  expect(answer?.headers()['x-robots-tag']).toBe('noindex, nofollow')
  await page
    .getByText(/^Completed/)
    .first()
    .waitFor()
  await page.getByText('1 failed').first().waitFor()
  await page.getByText(/^On no image/).waitFor()
  await page.getByText('6 positions').waitFor()
  await page.getByText('1 arcmin', { exact: true }).waitFor()
  await page.getByRole('table', { name: 'Files' }).getByRole('row').nth(1).waitFor()
  await drawn(page)
  // The way into the app is there also where nobody signs in.
  expect(await page.getByRole('link', { name: 'Open Sidereal' }).getAttribute('href')).toBe('/app/')
  // Nothing of the app that needs a login is there, or was asked for.
  expect(await page.getByRole('navigation').count()).toBe(0)
  const foreign = asked.filter((one) => !/^\/(share|app)\/|^\/api\/v1\/services$/.test(one))
  expect(foreign).toEqual([])
  expect(await keptBy(page)).not.toContain(secret)
  expect(server.log).not.toContain(secret)

  const document = await server.fetch(path)
  expect(document.headers.get('content-type')).toBe('application/xml')
})

test('the one picture that is looked at is in the address, and its file can be had', async ({
  page,
  server,
  jobs,
}) => {
  const { path } = await share(server, jobs.done)
  await page.goto(server.address + path)
  await page.getByRole('heading', { name: 'Pictures' }).waitFor()
  // By the keyboard alone.
  const first = page
    .getByRole('list')
    .getByRole('button', { name: /^alpha/ })
    .first()
  await first.focus()
  await page.keyboard.press('ArrowRight')
  await page.waitForURL(/[?]row=\d+$/)
  const chosen = page.locator('[aria-pressed="true"]')
  await expect.poll(() => chosen.count()).toBe(1)
  const name = (await chosen.locator('span').first().textContent()) ?? ''
  await page.reload()
  await page.getByRole('heading', { name, level: 2 }).waitFor()
})

test('files come one by one, together and by a script', async ({ page, server, jobs }) => {
  const { path, secret } = await share(server, jobs.done)
  await page.goto(server.address + path)
  const load = async (name: string) => {
    const coming = page.waitForEvent('download')
    await page.getByRole('link', { name, exact: true }).click()
    const download = await coming
    return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) }
  }
  const manifest = await load('manifest.json')
  expect(manifest.name).toBe('manifest.json')
  expect(JSON.parse(manifest.bytes.toString())).toHaveProperty('counts')
  const zip = await load('All as zip')
  expect(zip.name).toMatch(/\.zip$/)
  expect(zip.bytes.subarray(0, 2).toString()).toBe('PK')
  const tar = await load('All as tar')
  expect(tar.name).toMatch(/\.tar$/)
  expect(tar.bytes.toString('latin1')).toContain('SHA256SUMS')
  const script = await load('Script that fetches all')
  expect(script.bytes.toString()).toContain(`/share/${secret}/`)
  expect(script.bytes.toString()).not.toContain('Authorization')
})

test('a link that has been taken back, and one that never was, are told in the same words', async ({
  page,
  server,
  jobs,
  guard,
}) => {
  guard.expect(/status of 404/)
  const { path, revoke } = await share(server, jobs.done)
  await page.goto(server.address + path)
  await title(page, 'five stars')
  await revoke()
  await page.reload()
  await noLink(page)
  const words = await page.getByRole('main').innerText()
  await page.goto(`${server.address}/share/nobody-was-given-this`)
  await noLink(page)
  await expect.poll(() => page.getByRole('main').innerText()).toBe(words)
  await expectAccessibleEverywhere(page, 'a link that leads nowhere')
  await expectNothingSideways(page, 'a link that leads nowhere')
})

test('a job that runs is followed to its end', async ({ page, server }) => {
  const job = await server.job({ service: 'echo', runId: 'still at it', parameters: { SLEEP: ['3600'] } })
  await server.until(job, 'EXECUTING')
  const { path } = await share(server, job)
  await page.goto(server.address + path)
  await title(page, 'still at it')
  await page.getByText('Runs now').waitFor()
  await page.getByText(/^None yet/).waitFor()
  // A parameter without words of its own has those of its service.
  await page.getByText('How long the job runs.').waitFor()
  await expectAccessibleEverywhere(page, 'a shared job that runs')
  await server.abort(job)
  await page.getByText('Aborted', { exact: true }).first().waitFor()
  await page.getByText('This job has made none.').waitFor()
})

test('a job that has failed says why', async ({ page, server, jobs }) => {
  const { path } = await share(server, jobs.failed)
  await page.goto(server.address + path)
  await title(page, 'broken')
  const { errorSummary } = await server.find(jobs.failed)
  await page
    .getByRole('alert')
    .getByText(errorSummary?.message ?? '')
    .waitFor()
  await expectAccessibleEverywhere(page, 'a shared job that failed')
})

test('too many requests, and a server that is away, are told and pass by themselves', async ({
  page,
  server,
  jobs,
  guard,
}) => {
  guard.expect(/status of 429/, /ERR_CONNECTION_REFUSED|ERR_FAILED/)
  const { path } = await share(server, jobs.done)
  const document = (url: URL) => url.pathname === path
  await page.route(document, async (route) => {
    const isPage = route.request().isNavigationRequest()
    await (isPage ? route.continue() : route.fulfill({ status: 429, headers: { 'Retry-After': '1' } }))
  })
  await page.goto(server.address + path)
  await page.getByRole('heading', { name: 'Too many look at once' }).waitFor()
  await expectAccessible(page, 'too many requests')
  await page.unroute(document)
  await title(page, 'five stars')

  await page.route(document, (route) => route.abort('connectionrefused'))
  await page.reload()
  await page.getByRole('heading', { name: 'The server cannot be reached' }).waitFor()
  await page.unroute(document)
  await page.getByRole('button', { name: 'Try again' }).click()
  await title(page, 'five stars')
})

test('what came of a job is not left out where it could not be read', async ({
  page,
  server,
  jobs,
  guard,
}) => {
  guard.expect(/status of 429/)
  const { path } = await share(server, jobs.done)
  const manifest = (url: URL) => url.pathname.endsWith('/results/manifest.json')
  await page.route(manifest, (route) => route.fulfill({ status: 429, headers: { 'Retry-After': '1' } }))
  await page.goto(server.address + path)
  await title(page, 'five stars')
  await page.getByRole('heading', { name: 'What came of it' }).waitFor()
  const again = page.getByRole('alert').getByRole('button', { name: 'Try again' })
  await again.waitFor()
  await expectAccessible(page, 'a shared job without its manifest')
  const asked = page.waitForRequest((request) => manifest(new URL(request.url())))
  await again.click()
  await asked
  await page.unroute(manifest)
  await page.getByText(/^On no image/).waitFor()
  await drawn(page)
})

test('a job that was asked for colour pictures shows them', async ({ page, server }) => {
  const { jobId } = await server.completed({
    service: 'cutout',
    runId: 'in colour',
    parameters: {
      COLLECTION: ['sky'],
      SIZE: ['1'],
      PREVIEW: ['true'],
      RGB: ['150GHz,150GHz,90GHz'],
      POSITIONS: [listOf(stars)],
    },
  })
  const { path } = await share(server, jobId)
  await page.goto(server.address + path)
  await page.getByRole('heading', { name: 'Colour pictures' }).waitFor()
  const coloured = page.getByRole('link', { name: 'alpha', exact: true }).locator('img')
  await coloured.scrollIntoViewIfNeeded()
  await expect.poll(() => coloured.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBeGreaterThan(0)
  await expectAccessible(page, 'a shared job in colour')
})

test('the page is for everybody: axe by day, by night and for dark eyes, wide and 390 px', async ({
  page,
  server,
  jobs,
}) => {
  const { path } = await share(server, jobs.done)
  await page.goto(server.address + path)
  await drawn(page)
  await expectAccessibleEverywhere(page, 'a shared job')
  await expectNothingSideways(page, 'a shared job')
  await page.getByRole('button', { name: 'Theme' }).click()
  await page.getByRole('menuitemradio', { name: 'Night red' }).click()
  for (const viewport of [desktop, phone]) {
    await page.setViewportSize(viewport)
    await settled(page)
    await expectAccessible(page, `a shared job, night red, ${viewport.width} px`)
  }
  // The one thing that is kept is the theme.
  expect(JSON.parse(await keptBy(page))).toEqual([[['sidereal.theme', 'night']], [], ''])
})

loginTest(
  'who has no login opens the link of one who has, and is not asked to sign in',
  async ({ open, server, realm }) => {
    server.as(await realm.token('alice'))
    const { jobId } = await server.completed({ service: 'echo', runId: 'for a colleague' })
    const alice = await open(server)
    await signIn(alice.page, 'alice', `jobs/${jobId}?tab=shares`)
    await alice.page.getByText(/In a browser it opens a page/).waitFor()
    await alice.page.getByRole('button', { name: 'Make a link' }).click()
    const link = (await alice.page.getByRole('region', { name: 'The link' }).innerText()).trim()
    expect(link).toMatch(/\/share\/[\w-]{20,}$/)

    const colleague = await open(server)
    const asked = askedPaths(colleague.page)
    await colleague.page.goto(link)
    await title(colleague.page, 'for a colleague')
    await colleague.page.getByText('by alice').waitFor()
    await colleague.page.getByRole('heading', { name: 'What was asked for' }).waitFor()
    expect(asked.filter((path) => /login|\/me$|\/jobs|\/events/.test(path))).toEqual([])
    expect(await keptBy(colleague.page)).not.toContain(link.split('/').at(-1))
    await expectAccessibleEverywhere(colleague.page, 'a shared job, not signed in')
    await expectNothingSideways(colleague.page, 'a shared job, not signed in')
    // Who has a login finds the way to it, which does not tell where they came from.
    const way = await colleague.page.getByRole('link', { name: 'Open Sidereal' }).getAttribute('href')
    expect(way).toBe('/app/')

    // It stays open where somebody signs out in another tab.
    const shown = await alice.context.newPage()
    await shown.goto(link)
    await title(shown, 'for a colleague')
    await alice.page.getByRole('button', { name: 'Account of alice' }).click()
    await alice.page.getByRole('menuitem', { name: 'Sign out' }).click()
    await alice.page.getByLabel('Username or email').waitFor()
    await shown.reload()
    await title(shown, 'for a colleague')
    expect(server.log).not.toContain(link.split('/').at(-1))
  },
)
