import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Page } from 'playwright-core'
import { loginTest, test } from '../harness/fixtures.ts'
import { Server } from '../harness/server.ts'
import { listOf, nowhere, stars } from '../harness/sky.ts'
import { signIn } from '../harness/sign-in.ts'

const list = (page: Page) => page.getByRole('textbox', { name: 'POSITIONS' })
const submit = (page: Page) => page.getByRole('button', { name: 'Submit', exact: true })
const rows = (page: Page) => page.getByRole('table', { name: 'Rows of the list' }).getByRole('row')

/** The page of the job that was made, by its number in the address. */
async function made(page: Page): Promise<string> {
  await page.waitForURL(/\/app\/jobs\/[0-9a-f-]{36}/)
  return /jobs\/([0-9a-f-]{36})/.exec(page.url())?.[1] ?? ''
}

test('6a: a pasted list is read, counted, and sent as it was read', async ({ page, server }) => {
  await page.goto('cutout')
  await list(page).fill('name ra dec\nalpha 10:00:00.0 +02:12:00\nbeta 150.03 2.21\n')
  await page.getByText('2 positions', { exact: true }).waitFor()
  await page.getByLabel(/^SIZE/).fill('1')
  await page.getByLabel('Label').fill('pasted')
  // Two positions on six images.
  const forecast = page.getByRole('definition')
  await forecast.filter({ hasText: /^12$/ }).waitFor()
  await submit(page).click()
  const job = await server.until(await made(page), 'COMPLETED')
  expect(job.runId).toBe('pasted')
  expect(job.results.filter(({ id }) => id.endsWith('.fits'))).toHaveLength(12)
  await page.getByRole('status').filter({ hasText: 'pasted: Completed' }).waitFor()
  await page.getByRole('group', { name: 'Which rows are shown' }).getByText('12').first().waitFor()
})

test('6b: a file with bad rows says which and why, and goes when they are mended', async ({
  page,
  server,
}) => {
  const file = join(server.folder, 'mixed.csv')
  const bad = ['# three good, two bad', 'RA,DEC,OBJID']
  bad.push('150.0,2.2,alpha', '150.03,2.21,beta', 'north,2.2,gamma', '149.97,2.18,delta', '150.0,95,epsilon')
  await writeFile(file, `${bad.join('\n')}\n`)
  await page.goto('cutout')
  await page.getByLabel('A file with a list').setInputFiles(file)
  await page.getByText('5 positions, 2 faults').waitFor()
  expect(await submit(page).isDisabled()).toBe(true)
  await page.getByText('2 rows must be mended first.').waitFor()
  await page.getByLabel('Only rows with something to say').check()
  // The head is a row too.
  await expect.poll(() => rows(page).count()).toBe(3)
  expect(await rows(page).nth(1).innerText()).toContain('north')
  expect(await rows(page).nth(2).innerText()).toContain('95')

  // One mended by hand, the other left out.
  await list(page).fill((await list(page).inputValue()).replace('north', '149.98'))
  await page.getByText('5 positions, 1 fault', { exact: true }).waitFor()
  await page.getByLabel(/^Leave out rows with faults/).check()
  await page.getByText('4 positions', { exact: true }).waitFor()
  await page.getByLabel(/^SIZE/).fill('1')
  await submit(page).click()
  const job = await server.until(await made(page), 'COMPLETED')
  expect(job.results.filter(({ id }) => id.endsWith('.fits'))).toHaveLength(24)
})

test('6b: a VOTable of binary rows is read beside the page as the server reads it', async ({
  page,
  server,
}) => {
  const bytes = Buffer.alloc(32)
  stars.slice(0, 2).forEach(({ ra, dec }, row) => {
    bytes.writeDoubleBE(ra, 16 * row)
    bytes.writeDoubleBE(dec, 16 * row + 8)
  })
  const columns = ['ra', 'dec']
    .map((name) => `<FIELD ID="${name}" name="${name}" datatype="double"/>`)
    .join('')
  const group = '<GROUP ref="sky"><FIELDref ref="ra"/><FIELDref ref="dec"/></GROUP>'
  const systems = '<COOSYS ID="old" system="eq_FK4" equinox="B1950"/><COOSYS ID="sky" system="ICRS"/>'
  const rows = `<BINARY><STREAM encoding="base64">${bytes.toString('base64')}</STREAM></BINARY>`
  const text = `<VOTABLE><RESOURCE>${systems}<TABLE>${columns}${group}<DATA>${rows}</DATA></TABLE></RESOURCE></VOTABLE>`
  await page.goto('cutout')
  await page
    .getByLabel('A file with a list')
    .setInputFiles({ name: 'stars.vot', mimeType: 'application/x-votable+xml', buffer: Buffer.from(text) })
  await page.getByText('2 positions of a VOTable', { exact: true }).waitFor()
  await page.getByLabel(/^SIZE/).fill('1')
  await submit(page).click()
  const job = await server.until(await made(page), 'COMPLETED')
  expect(job.results.filter(({ id }) => id.endsWith('.fits'))).toHaveLength(12)
})

test('6c: rows on no image are told before anything is sent', async ({ page }) => {
  await page.goto('cutout')
  await page.getByLabel(/^SIZE/).fill('1')
  await list(page).fill(listOf([...stars.slice(0, 1), nowhere]))
  await page.getByText('1 position lies on no image that is asked for.').waitFor()
  const remark = rows(page).filter({ hasText: 'nowhere' })
  await expect.poll(() => remark.innerText()).toMatch(/image/)
})

test('7: what cannot go together is told beside it, and nothing is made', async ({ page, server, guard }) => {
  guard.expect(/status of 400/)
  const before = await server.read<{ total: number }>('/api/v1/jobs/counts')
  await page.goto('cutout')
  await page.getByLabel(/^SIZE/).fill('1')
  await list(page).fill(listOf(stars))
  await page.getByLabel('PREVIEW').selectOption('true')
  await page.getByLabel('RGB').fill('150GHz,90GHz,90GHz')
  await page.getByLabel('PREVIEW').selectOption('')
  await page
    .getByText(/RGB.*PREVIEW|Only with PREVIEW/)
    .first()
    .waitFor()
  // By the keyboard, since the button may not be pressed.
  await page.keyboard.press('Control+Enter')
  expect(new URL(page.url()).pathname).toBe('/app/cutout')
  expect(await server.read<{ total: number }>('/api/v1/jobs/counts')).toEqual(before)
  await page.getByLabel('PREVIEW').selectOption('true')
  await submit(page).click()
  const job = await server.until(await made(page), 'COMPLETED')
  expect(job.results.filter(({ id }) => id.endsWith('_rgb.png'))).toHaveLength(stars.length)
})

loginTest('8: a full quota is told, and the job can be sent when there is room', async ({ open, realm }) => {
  const server = await Server.start({ ...realm.settings, SIDEREAL_QUOTA__PENDING: '1' })
  onTestFinished(() => server.remove())
  await realm.allow(server.address)
  const { page, guard } = await open(server)
  guard.expect(/status of (403|409|413|429|507)/)
  server.as(await realm.token('alice'))
  const first = await server.job({ service: 'echo', run: false })
  await signIn(page, 'alice', 'cutout?service=echo')
  await page.getByLabel('Run it at once').uncheck()
  await page.getByLabel('Label').fill('second')
  await page.getByRole('button', { name: 'Make and hold' }).click()
  await page.getByRole('alert').first().waitFor()
  expect(await page.getByRole('alert').first().innerText()).toMatch(/1/)
  // What was typed is still there.
  expect(await page.getByLabel('Label').inputValue()).toBe('second')
  await server.fetch(`/api/v1/jobs/${first}`, { method: 'DELETE' })
  await page.getByRole('button', { name: 'Make and hold' }).click()
  expect((await server.find(await made(page))).runId).toBe('second')
})

test('9: two clicks on Submit make one job', async ({ page, server }) => {
  await page.goto('cutout?service=echo')
  await page.getByLabel('Label').fill('once')
  // The second click comes while the first is on its way.
  await page.route('**/api/v1/jobs', async (route) => {
    await submit(page)
      .click({ force: true, noWaitAfter: true })
      .catch(() => undefined)
    await page.keyboard.press('Control+Enter')
    await route.continue()
  })
  await submit(page).click()
  await made(page)
  const { items } = await server.read<{ items: unknown[] }>('/api/v1/jobs?q=once')
  expect(items).toHaveLength(1)
})

test('9: an answer that was lost is not another job', async ({ page, server, guard }) => {
  guard.expect(/ERR_FAILED/)
  await page.goto('cutout?service=echo')
  await page.getByLabel('Label').fill('lost')
  let lost = false
  await page.route('**/api/v1/jobs', async (route) => {
    if (lost || route.request().method() !== 'POST') return route.continue()
    lost = true
    // The server has made the job, and nobody hears of it.
    await route.fetch()
    return route.abort()
  })
  await submit(page).click()
  await page.getByRole('alert').first().waitFor()
  await submit(page).click()
  await made(page)
  const { items } = await server.read<{ items: unknown[] }>('/api/v1/jobs?q=lost')
  expect(items).toHaveLength(1)
})
