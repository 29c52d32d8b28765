import { readFile } from 'node:fs/promises'
import { expect, onTestFinished } from 'vitest'
import type { Download, Page } from 'playwright-core'
import { Archive } from '../harness/archive.ts'
import { test } from '../harness/fixtures.ts'
import { sha256, untar, unzip } from '../harness/packed.ts'
import { imageOf, listOf, nowhere, stars } from '../harness/sky.ts'

const cutout = (parameters: Record<string, string[]>, runId: string) => ({
  service: 'cutout',
  runId,
  parameters: { SIZE: ['1'], ...parameters },
})

const told = (page: Page, text: string) => page.getByRole('status').filter({ hasText: text }).first()

/** What a click brings, read to its end. */
async function fetched(page: Page, click: () => Promise<void>): Promise<{ name: string; data: Buffer }> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()])
  return { name: download.suggestedFilename(), data: await contentOf(download) }
}

const contentOf = async (download: Download) => readFile(await download.path())

test('14: a running job is aborted, after a question', async ({ page, server }) => {
  const id = await server.job({ service: 'echo', runId: 'to abort', parameters: { SLEEP: ['3600'] } })
  await page.goto(`jobs/${id}`)
  await told(page, 'to abort: Running').waitFor()
  await page.getByRole('button', { name: 'Abort' }).click()
  const question = page.getByRole('dialog', { name: 'Abort this job?' })
  await question.getByRole('button', { name: 'Cancel' }).click()
  await question.waitFor({ state: 'detached' })
  expect((await server.find(id)).phase).toBe('EXECUTING')
  await page.getByRole('button', { name: 'Abort' }).click()
  await question.getByRole('button', { name: 'Abort' }).click()
  await told(page, 'to abort: Aborted').waitFor()
  await question.waitFor({ state: 'detached' })
  expect(await page.getByRole('button', { name: 'Abort' }).count()).toBe(0)
  expect((await server.find(id)).phase).toBe('ABORTED')
})

test('15: only what failed is asked for again', async ({ page, server }) => {
  const archive = await Archive.start({
    'good.fits': imageOf({ obs: 'good' }),
    'bad.fits': imageOf({ ra: 160, stars: [], obs: 'bad' }),
  })
  onTestFinished(() => archive.close())
  await server.command('ingest', 'shaky', ...archive.urls)
  archive.break('bad.fits')
  const far = [
    { name: 'far one', ra: 160, dec: 2.2 },
    { name: 'far two', ra: 160.01, dec: 2.2 },
  ]
  const { jobId } = await server.completed(
    cutout({ COLLECTION: ['shaky'], POSITIONS: [listOf([...stars, ...far])] }, 'shaky'),
  )
  await page.goto(`jobs/${jobId}`)
  const shown = page.getByRole('group', { name: 'Which rows are shown' })
  await shown.getByRole('button', { name: /^2 failed/ }).waitFor()
  archive.release('bad.fits')
  // Changed first: the form has the rows that failed, and no others.
  await page.getByRole('link', { name: 'Change what failed' }).click()
  await page.waitForURL(/\/app\/cutout/)
  await page.getByText('2 positions', { exact: true }).waitFor()
  const text = await page.getByRole('textbox', { name: 'POSITIONS' }).inputValue()
  expect(text.trim().split('\n')).toHaveLength(3)
  expect(text).toContain('far one')
  expect(text).toContain('far two')
  await page.goBack()
  // As they were: a job that makes these anew.
  await page.getByRole('button', { name: 'Retry 2 rows' }).click()
  await page.waitForURL((url) => !url.pathname.includes(jobId))
  await told(page, 'Completed').waitFor()
  await shown.getByRole('button', { name: /^0 failed/ }).waitFor()
  await shown.getByRole('button', { name: /^2 cut/ }).waitFor()
})

test('16: files come alone, as tar and as zip, and have the sums of the manifest', async ({
  page,
  server,
}) => {
  const { jobId } = await server.completed(
    cutout({ COLLECTION: ['sky'], POSITIONS: [listOf([...stars.slice(0, 2), nowhere])] }, 'to fetch'),
  )
  await page.goto('jobs?q=to%20fetch')
  await page
    .getByRole('row')
    .filter({ hasText: 'to fetch' })
    .filter({ hasText: 'Completed, 1 failed' })
    .waitFor()
  await page.goto(`jobs/${jobId}?tab=files`)
  await told(page, 'to fetch: Completed, 1 failed').waitFor()
  const files = page.getByRole('table', { name: 'Files' })
  const single = async (name: string) =>
    fetched(page, () => files.getByRole('link', { name, exact: true }).click())
  const manifest = await single('manifest.json')
  type Row = { file: string | null; size: number | null; sha256: string | null; status: string }
  const { rows } = JSON.parse(manifest.data.toString('utf8')) as { rows: Row[] }
  const cut = rows.filter(({ status }) => status === 'ok')
  expect(cut).toHaveLength(12)
  expect(rows).toHaveLength(13)

  const [first] = cut
  const alone = await single(first?.file ?? '')
  expect(alone.name).toBe(first?.file)
  expect(sha256(alone.data)).toBe(first?.sha256)
  expect(alone.data.toString('ascii', 0, 6)).toBe('SIMPLE')

  for (const [format, unpack] of [
    ['tar', untar],
    ['zip', unzip],
  ] as const) {
    const packed = await fetched(page, () => page.getByRole('link', { name: `All as ${format}` }).click())
    expect(packed.name).toMatch(new RegExp(`\\.${format}$`))
    const all = unpack(packed.data)
    for (const { file, size, sha256: sum } of cut) {
      const data = all.get(file ?? '')
      expect([file, data?.length, data && sha256(data)]).toEqual([file, size, sum])
    }
    expect(all.get('manifest.json')?.equals(manifest.data)).toBe(true)
  }
})

test('23: a log is read from its start, followed, searched, and linked to by line', async ({
  page,
  server,
}) => {
  const archive = await Archive.start({ 'slow.fits': imageOf({ obs: 'slow' }) })
  onTestFinished(() => archive.close())
  await server.command('ingest', 'slow', ...archive.urls)
  archive.hold('slow.fits')
  const id = await server.job(cutout({ COLLECTION: ['slow'], POSITIONS: [listOf(stars)] }, 'with a log'))
  await server.until(id, 'EXECUTING')
  await page.goto(`jobs/${id}?tab=log`)
  const log = page.getByRole('log')
  // The lines that were there, and while it runs the new ones too.
  await log.getByText(/\w/).first().waitFor()
  const before = (await (await server.fetch(`/api/v1/jobs/${id}/log`)).text()).trimEnd().split('\n').length
  expect(before).toBeGreaterThan(0)
  archive.release('slow.fits')
  await server.until(id, 'COMPLETED')
  const lines = (await (await server.fetch(`/api/v1/jobs/${id}/log`)).text()).trimEnd().split('\n')
  expect(lines.length).toBeGreaterThan(before)
  const textOf = (line: string) => line.replace(/^\S+ /, '')
  await log.getByText(textOf(lines.at(-1) ?? ''), { exact: true }).waitFor()
  await page.getByText(`${lines.length} lines`, { exact: true }).waitFor()

  const last = textOf(lines.at(-1) ?? '')
  await page.getByRole('searchbox', { name: 'Find in the log' }).fill(last.toUpperCase())
  await page.getByText(`1 of ${lines.length} lines`, { exact: true }).waitFor()
  expect(await log.getByRole('link').count()).toBe(1)
  await log.getByRole('link', { name: `Link to line ${lines.length}` }).click()
  await page.waitForURL(new RegExp(`line=${lines.length}`))
  const linked = page.url()
  await page.goto('jobs')
  await page.goto(linked)
  await log
    .locator('[data-linked]')
    .filter({ hasText: textOf(lines.at(-1) ?? '') })
    .waitFor()

  // Times can be left out, and the raw log fetched.
  await page.getByText('No times', { exact: true }).click()
  await expect.poll(() => log.locator('time').count()).toBe(0)
  const raw = await fetched(page, () => page.getByRole('link', { name: 'Raw' }).click())
  expect(raw.data.toString('utf8').trimEnd().split('\n')).toEqual(lines)
})
