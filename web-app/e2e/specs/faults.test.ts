import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { expectAccessibleEverywhere } from '../harness/axe.ts'
import { loginTest, test } from '../harness/fixtures.ts'
import { built } from '../harness/program.ts'
import { Relay } from '../harness/relay.ts'
import { Server } from '../harness/server.ts'
import { enter, signIn } from '../harness/sign-in.ts'

const heading = (name: string) => ['heading', { name, exact: true }] as const

loginTest(
  '20: a session that ends under a form is begun again beside it, and the form is sent',
  async ({ page, person, server, realm }) => {
    await signIn(page, 'alice', 'cutout?service=echo')
    await page.getByLabel('Label').fill('typed before')
    await realm.logOut('alice')
    await page.getByRole('button', { name: 'Submit', exact: true }).click()
    const overlay = page.getByRole('dialog', { name: 'Your session has ended' })
    await overlay.waitFor()
    await expectAccessibleEverywhere(page, 'sign in again')
    // It cannot be put away: there is nothing to do without a session.
    await page.keyboard.press('Escape')
    await overlay.waitFor()
    const [beside] = await Promise.all([
      person.context.waitForEvent('page'),
      overlay.getByRole('button', { name: 'Sign in' }).click(),
    ])
    const closed = beside.waitForEvent('close')
    await enter(beside, 'alice')
    await closed
    await overlay.waitFor({ state: 'detached' })
    expect(await page.getByLabel('Label').inputValue()).toBe('typed before')
    await page.getByRole('button', { name: 'Submit', exact: true }).click()
    await page.getByRole(...heading('typed before')).waitFor()
    server.as(await realm.token('alice'))
    const { items } = await server.read<{ items: unknown[] }>('/api/v1/jobs?q=typed')
    expect(items).toHaveLength(1)
  },
)

loginTest('21: the job of another is not one’s own to see', async ({ page, server, realm, guard }) => {
  guard.expect(/status of 403/)
  server.as(await realm.token('bob'))
  const id = await server.job({ service: 'echo', run: false, runId: 'of bob' })
  await signIn(page, 'alice', `jobs/${id}`)
  const told = page.getByRole('alert')
  await told.getByRole(...heading('This is not yours to see')).waitFor()
  expect(await page.getByText('of bob').count()).toBe(0)
  await told.getByRole('link', { name: 'To your jobs' }).click()
  await page.getByRole(...heading('Jobs')).waitFor()
})

test('21: what never was, what is gone, and a server in trouble are told apart', async ({
  page,
  server,
  guard,
}) => {
  guard.expect(/status of (404|410|500)/)
  const told = page.getByRole('alert')
  await page.goto('jobs/01a1ff09-0000-7000-8000-000000000000')
  await told.getByRole(...heading('There is no such thing here')).waitFor()

  const id = await server.job({ service: 'echo', run: false })
  await server.fetch(`/api/v1/jobs/${id}`, { method: 'DELETE' })
  await page.goto(`jobs/${id}`)
  await told.getByRole(...heading('This was destroyed')).waitFor()
  await told.getByText(/^Destroyed/).waitFor()
  await expectAccessibleEverywhere(page, 'a job that is gone')

  await page.goto('no/such/page')
  await page.getByRole(...heading('There is no such page')).waitFor()

  // A server that fails, as no real one can be made to.
  const broken = await server.job({ service: 'echo', run: false, runId: 'hard to read' })
  const problem = { title: 'Internal Server Error', detail: 'The database is away.', requestId: 'r-42' }
  await page.route(`**/api/v1/jobs/${broken}`, (route) =>
    route.fulfill({ status: 500, contentType: 'application/problem+json', json: problem }),
  )
  await page.goto(`jobs/${broken}`)
  await told.getByRole(...heading('The server has failed')).waitFor()
  await told.getByText('The database is away.').waitFor()
  await told.getByText('r-42').waitFor()
  await expectAccessibleEverywhere(page, 'a server that has failed')
  await page.unroute(`**/api/v1/jobs/${broken}`)
  await told.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole(...heading('hard to read')).waitFor()
})

test('21: without a network what is shown stays, and goes on afterwards', async ({
  page,
  person,
  server,
  guard,
}) => {
  guard.expect(/ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED/)
  await server.job({ service: 'echo', run: false, runId: 'seen before' })
  await page.goto('jobs')
  const row = page.getByRole('row').filter({ hasText: 'seen before' })
  await row.waitFor()
  await person.context.setOffline(true)
  const banner = page.getByText('You are offline.')
  await banner.waitFor()
  await row.waitFor()
  await person.context.setOffline(false)
  await banner.waitFor({ state: 'detached' })
  await server.job({ service: 'echo', run: false, runId: 'made later' })
  await page.getByRole('row').filter({ hasText: 'made later' }).waitFor()
})

test('21: a server that is away is told, and found again', async ({ open }) => {
  const relay = await Relay.start()
  onTestFinished(() => relay.close())
  const server = await Server.start({ SIDEREAL_PUBLIC_URL: relay.address })
  onTestFinished(() => server.remove())
  relay.to(server.listens)
  const { page, guard } = await open(server)
  guard.expect(/ERR_(CONNECTION|EMPTY|INCOMPLETE|SOCKET)/, /did not come|preload|dynamically imported module/)
  await page.goto('help')
  await page.getByText('Live', { exact: true }).waitFor()
  // Killed, and started again at the same place.
  await server.stop('SIGKILL')
  await page.getByText('Connecting', { exact: true }).waitFor()
  // A part of the app that is not here yet cannot come: it is told, and nothing else is lost.
  await page.getByRole('link', { name: 'Jobs' }).click()
  await page.getByRole(...heading('This part of the app did not come')).waitFor()
  expect(await page.getByText('There is a new version of this page.').count()).toBe(0)
  await server.again()
  await page.getByText('Live', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole(...heading('No jobs yet')).waitFor()
  await page.getByText('Live', { exact: true }).waitFor()
})

test('22: a page of an older release says so, and loads the new one', async ({ open }) => {
  // A deployment: the part that the page asks for next has another name now.
  const folder = await mkdtemp(join(tmpdir(), 'sidereal-e2e-release-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const served = join(folder, 'dist')
  await cp(built, served, { recursive: true })
  const server = await Server.start({ SIDEREAL_WEB_APP_DIR: served })
  onTestFinished(() => server.remove())
  const { page, guard } = await open(server)
  guard.expect(
    /status of 404/,
    /ERR_(CONNECTION|EMPTY|INCOMPLETE)/,
    /did not come|dynamically imported module|preload/,
  )
  await page.goto('cutout?service=echo')
  await page.getByLabel('Label').fill('kept in the draft')
  const part = (await readdir(join(built, 'assets'))).find((name) => /^HelpPage.*\.js$/.test(name)) ?? ''
  await server.stop()
  await rm(join(served, 'assets', part))
  await server.again()
  await page.getByRole('link', { name: 'Help', exact: true }).click()
  await page.getByText('There is a new version of this page.').waitFor()
  // The rest of the page still works.
  await page.getByRole('link', { name: 'Jobs', exact: true }).click()
  await page.getByRole(...heading('Jobs')).waitFor()
  await server.stop()
  await cp(join(built, 'assets', part), join(served, 'assets', part))
  await server.again()
  await page.getByRole('button', { name: 'Reload' }).click()
  await page.getByText('There is a new version of this page.').waitFor({ state: 'detached' })
  await page.getByRole('link', { name: 'Help', exact: true }).click()
  await page.getByRole(...heading('Help')).waitFor()
  await page.goto('cutout?service=echo')
  expect(await page.getByLabel('Label').inputValue()).toBe('kept in the draft')
})

test('22: a dialog whose part does not come leaves the page as it is', async ({ page, guard }) => {
  guard.expect(/ERR_FAILED/, /did not come|dynamically imported module|preload/)
  await page.route(/assets\/ShortcutSheet.*\.js$/, (route) => route.abort())
  await page.goto('cutout?service=echo')
  await page.getByLabel('Label').fill('still here')
  await page.getByRole('button', { name: 'Keys' }).click()
  await page.getByRole('alert').getByText('This part of the page could not be loaded.').waitFor()
  expect(await page.getByLabel('Label').inputValue()).toBe('still here')
})
