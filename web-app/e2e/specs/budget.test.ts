import { expect } from 'vitest'
import { test } from '../harness/fixtures.ts'
import { readTo, scrollToTop } from '../harness/long-list.ts'
import { inBatches } from '../harness/many.ts'

test('37: of ten thousand jobs the page holds few rows, wherever it is scrolled to', async ({
  page,
  server,
}) => {
  const number = 10_000
  await inBatches(number, 16, (index) => server.job({ service: 'echo', run: false, runId: `job ${index}` }))
  await page.goto('jobs')
  await page.getByText('50 jobs so far').waitFor()
  await page
    .getByRole('group', { name: 'Phases' })
    .getByRole('button', { name: /^Pending.*10,000/ })
    .waitFor()
  const rows = page.getByRole('table', { name: 'Jobs, newest first' }).getByRole('row')
  for (let shown = 50; shown < 500;) {
    expect(await rows.count()).toBeLessThanOrEqual(60)
    shown = await readTo(page, shown + 50)
  }
  expect(await rows.count()).toBeLessThanOrEqual(60)
  await scrollToTop(page)
  await page.getByRole('link', { name: `job ${number - 1}`, exact: true }).waitFor()
  expect(await rows.count()).toBeLessThanOrEqual(60)
})

test('37: a list of ten thousand lines is read beside the page, and read right', async ({ page }) => {
  const number = 10_000
  const bad = new Set([17, 5_000, 9_999])
  const lines = Array.from({ length: number }, (_, index) =>
    bad.has(index)
      ? `x${index},95,bad${index}`
      : `${(index * 0.036).toFixed(4)},${(index / number) * 80},n${index}`,
  )
  await page.goto('cutout')
  const worker = page.waitForEvent('worker')
  await page.getByLabel('A file with a list').setInputFiles({
    name: 'long.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from(`RA,DEC,OBJID\n${lines.join('\n')}\n`),
  })
  expect((await worker).url()).toContain('/app/assets/')
  await page.getByText('10,000 positions, 3 faults').waitFor()
  const rows = page.getByRole('table', { name: 'Rows of the list' }).getByRole('row')
  expect(await rows.count()).toBeLessThanOrEqual(60)
  await page.getByLabel('Only rows with something to say').check()
  // The head is a row too.
  await expect.poll(() => rows.count()).toBe(4)
  const told = await rows.allInnerTexts()
  expect([...bad].map((index) => told.some((row) => row.includes(`bad${index}`)))).toEqual([true, true, true])
})
