import { expect, onTestFinished } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessibleEverywhere } from '../harness/axe.ts'
import { test } from '../harness/fixtures.ts'
import { Server } from '../harness/server.ts'
import { readTo } from '../harness/long-list.ts'
import { inBatches } from '../harness/many.ts'

const job = (page: Page, name: string) =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
const search = (page: Page) => page.getByRole('searchbox', { name: 'Search by label or number' })
const phase = (page: Page, word: string) =>
  page.getByRole('group', { name: 'Phases' }).getByRole('button', { name: new RegExp(`^${word}`) })
const choose = (page: Page, name: string) => page.getByRole('checkbox', { name: `Choose ${name}` })

/** A server of the test's own: its list has only what the test makes. */
async function empty(): Promise<Server> {
  const server = await Server.start()
  onTestFinished(() => server.remove())
  return server
}

const held = (runId: string) => ({ service: 'echo', runId, run: false })

test('17: the list is filtered, searched, gone back to, and read to its end', async ({ open }) => {
  const server = await empty()
  await inBatches(120, 8, (index) => server.job(held(`bulk ${String(index).padStart(3, '0')}`)))
  await server.completed({ service: 'echo', runId: 'finished' })
  await server.until(
    await server.job({ service: 'echo', runId: 'broken', parameters: { FAIL: ['fatal'] } }),
    'ERROR',
  )
  const { page } = await open(server)
  await page.goto('jobs')
  await job(page, 'broken').filter({ hasText: 'Failed' }).waitFor()

  await phase(page, 'Failed').click()
  await page.getByText('1 job, all of them').waitFor()
  await phase(page, 'Completed').click()
  await page.getByText('2 jobs, all of them').waitFor()
  expect(page.url()).toMatch(/phase=ERROR.*phase=COMPLETED/)
  await page.goBack()
  await page.getByText('1 job, all of them').waitFor()
  expect(await job(page, 'broken').count()).toBe(1)
  await page.goBack()
  await job(page, 'finished').waitFor()

  await search(page).fill('bulk 01')
  await page.getByText('10 jobs, all of them').waitFor()
  await search(page).fill('phase:pending bulk 11')
  await search(page).press('Enter')
  await page.getByText('10 jobs, all of them').waitFor()
  expect(await phase(page, 'Pending').getAttribute('aria-pressed')).toBe('true')
  await search(page).fill('no such job')
  await page.getByRole('heading', { name: 'No job matches' }).waitFor()
  await page.getByRole('link', { name: 'Clear the filter' }).click()

  // A job and back again, at the same place of a list that has grown by scrolling.
  await page.getByText('50 jobs so far').waitFor()
  // Rows that are not in view are taken to be as high as those that are, to a pixel, so that nothing moves as they come.
  const body = page.getByRole('table', { name: 'Jobs, newest first' }).getByRole('rowgroup').last()
  const height = await body
    .getByRole('row')
    .first()
    .evaluate((row) => row.getBoundingClientRect().height)
  const estimated = (await body.evaluate((rows) => rows.getBoundingClientRect().height)) / 50
  expect(Math.abs(estimated - height)).toBeLessThanOrEqual(1)
  expect(await readTo(page, 122)).toBe(122)
  await page.getByText('122 jobs, all of them').waitFor()
  await job(page, 'bulk 000').or(job(page, 'bulk 001')).first().waitFor()
  const names = page.getByRole('table', { name: 'Jobs, newest first' }).getByRole('link')
  const last = (await names.last().textContent()) ?? ''
  await names.last().click()
  await page.getByRole('heading', { name: last, level: 1 }).waitFor()
  await page.goBack()
  await job(page, last).waitFor()
})

test('17: the keyboard goes through the list and opens a job', async ({ open }) => {
  const server = await empty()
  for (const name of ['oldest', 'middle', 'newest']) await server.job(held(name))
  const { page } = await open(server)
  await page.goto('jobs')
  await job(page, 'newest').waitFor()
  await page.keyboard.press('j')
  await page.keyboard.press('j')
  await page.keyboard.press('x')
  expect(await choose(page, 'middle').isChecked()).toBe(true)
  await page.keyboard.press('j')
  await page.keyboard.press('Shift+X')
  expect(await choose(page, 'oldest').isChecked()).toBe(true)
  expect(await choose(page, 'newest').isChecked()).toBe(false)
  await page.keyboard.press('Escape')
  expect(await choose(page, 'oldest').isChecked()).toBe(false)
  await page.keyboard.press('k')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'middle', level: 1 }).waitFor()
})

test('18: all that match are deleted, also those that are not shown, and nothing else', async ({ open }) => {
  const server = await empty()
  await inBatches(60, 8, (index) => server.job(held(`away ${index}`)))
  await server.job(held('stays'))
  const { page } = await open(server)
  await page.goto('jobs?q=away')
  await page.getByText('50 jobs so far').waitFor()
  await page.getByRole('checkbox', { name: 'All that are shown' }).check()
  const bar = page.getByRole('region', { name: 'Chosen jobs' })
  await bar.getByRole('button', { name: 'All 60 jobs that match' }).click()
  await bar.getByRole('button', { name: 'Delete' }).click()
  const question = page.getByRole('dialog', { name: 'Delete 60 jobs?' })
  await question.getByText('These are all that match the filter now').waitFor()
  await question.getByRole('button', { name: 'Delete' }).click()
  await page.getByText('60 jobs deleted.').waitFor()
  const { total } = await server.read<{ total: number }>('/api/v1/jobs/counts')
  expect(total).toBe(1)
  await page.getByRole('heading', { name: 'No job matches' }).waitFor()
})

test('18: of many that are deleted, the one that could not be is named with its reason', async ({ open }) => {
  const server = await empty()
  const names = ['one', 'two', 'three']
  const ids: string[] = []
  for (const name of names) ids.push(await server.job(held(name)))
  const { page } = await open(server)
  await page.goto('jobs')
  await job(page, 'one').waitFor()
  await page.getByRole('checkbox', { name: 'All that are shown' }).check()
  await page.getByRole('region', { name: 'Chosen jobs' }).getByRole('button', { name: 'Delete' }).click()
  // Another person's deletion comes before this one reaches the server.
  await page.route('**/api/v1/jobs/bulk', async (route) => {
    await server.fetch(`/api/v1/jobs/${ids[1] ?? ''}`, { method: 'DELETE' })
    await route.continue()
  })
  await page
    .getByRole('dialog', { name: /^Delete 3 jobs/ })
    .getByRole('button', { name: 'Delete' })
    .click()
  const report = page.getByRole('dialog', { name: 'Not all was done' })
  await report.getByText('2 jobs deleted; 1 job not:').waitFor()
  const items = await report.getByRole('listitem').allInnerTexts()
  expect(items).toHaveLength(1)
  expect(items[0]).toContain(ids[1])
  expect(items[0]?.replace(ids[1] ?? '', '').trim()).not.toBe('')
  await expectAccessibleEverywhere(page, 'not all was done')
})

test('19: what is chosen stays so while jobs change and come', async ({ open }) => {
  const server = await empty()
  const running = await server.job({ service: 'echo', runId: 'running', parameters: { SLEEP: ['3600'] } })
  await server.job(held('waiting'))
  await server.until(running, 'EXECUTING')
  const { page } = await open(server)
  await page.goto('jobs')
  await page.getByText('Live', { exact: true }).waitFor()
  await choose(page, 'running').check()
  await choose(page, 'waiting').check()
  const bar = page.getByRole('region', { name: 'Chosen jobs' })
  await bar.getByText('2 jobs chosen').waitFor()

  await server.abort(running)
  await job(page, 'running').filter({ hasText: 'Aborted' }).waitFor()
  await server.job(held('newcomer'))
  // It does not push the others away: it is announced.
  const show = page.getByRole('button', { name: '1 new job: show' })
  await show.waitFor()
  expect(await job(page, 'newcomer').count()).toBe(0)
  expect(await choose(page, 'running').isChecked()).toBe(true)
  expect(await choose(page, 'waiting').isChecked()).toBe(true)
  await show.click()
  await job(page, 'newcomer').waitFor()
  expect(await choose(page, 'running').isChecked()).toBe(true)
  expect(await choose(page, 'newcomer').isChecked()).toBe(false)
  await bar.getByText('2 jobs chosen').waitFor()
})
