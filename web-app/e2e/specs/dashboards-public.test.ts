import { resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessible } from '../harness/axe.ts'
import { build, quiet, settingsOf, test } from '../harness/dashboards.ts'
import { test as plain } from '../harness/fixtures.ts'
import { Keeper, large } from '../harness/keeper.ts'
import { Server } from '../harness/server.ts'
import { expectNothingSideways, phone } from '../harness/widths.ts'

/** The links that name the rows that are seen. */
const shown = (page: Page) => page.locator('tbody tr:visible th a').allInnerTexts()
const said = (page: Page) => page.getByRole('search').getByRole('status')

test('the editions of a public page are filtered by words, by keyboard, and told of', async ({
  page,
  server,
}) => {
  await page.goto(`${server.address}/dashboards/ldm-151/v/`)
  const field = page.getByRole('search').getByRole('searchbox', { name: 'Filter editions' })
  const all = await page.locator('tbody tr').count()
  expect(all).toBe(600)
  expect(await said(page).innerText()).toBe('')
  expect(await said(page).getAttribute('aria-live')).toBe('polite')
  await field.focus()
  await page.keyboard.type('DM-4059 octo')
  await said(page)
    .getByText(/^\d+ of 600 editions shown$/)
    .waitFor()
  const found = await shown(page)
  expect(found.length).toBeGreaterThan(0)
  expect(found.every((name) => name.includes('40'))).toBe(true)
  expect(await said(page).innerText()).toBe(`${found.length} of 600 editions shown`)
  // Kinds of which none is left are not headed either.
  expect(await page.getByRole('heading', { level: 2 }).allInnerTexts()).not.toContain('Releases')
  await expectAccessible(page, 'a filtered public page')
  await page.keyboard.press('Control+A')
  await page.keyboard.type('no such edition')
  await said(page).getByText('0 of 600 editions shown').waitFor()
  expect(await page.getByRole('heading', { level: 2 }).count()).toBe(0)
  await page.keyboard.press('Escape')
  expect(await field.inputValue()).toBe('')
  expect(await page.locator('tbody tr:visible').count()).toBe(all)
  // Nothing of it is remembered.
  await field.fill('main')
  await page.reload()
  expect(await field.inputValue()).toBe('')
  expect(await page.locator('tbody tr:visible').count()).toBe(all)
  expect(page.url()).toBe(`${server.address}/dashboards/ldm-151/v/`)
  const kept = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie])
  expect(kept).toEqual([0, 0, ''])
})

test('builds are filtered on their page, products on theirs, and a short list has no filter', async ({
  page,
  server,
}) => {
  await page.goto(`${server.address}/dashboards/ldm-151/builds/page-2.html`)
  await page.getByText('500 of 3,000 builds, newest first').waitFor()
  await page.getByRole('searchbox', { name: 'Filter builds on this page' }).fill('try-')
  await said(page)
    .getByText(/^\d+ of 500 builds on this page shown$/)
    .waitFor()
  await page.goto(`${server.address}/dashboards/`)
  await page.getByRole('searchbox', { name: 'Filter products' }).fill('SQR made-UP')
  await said(page).getByText('1 of 5 products shown').waitFor()
  expect(await shown(page)).toEqual(['SQR-900: Made-up note'])
  await page.goto(`${server.address}/dashboards/_spec/`)
  await page.getByRole('heading', { name: 'Products' }).waitFor()
  expect(await page.getByRole('searchbox').count()).toBe(0)
})

test('without scripts a public page is a plain list', async ({ page, server }) => {
  const context = await page.context().browser()?.newContext({ javaScriptEnabled: false })
  if (context === undefined) throw new Error('no browser')
  onTestFinished(() => context.close())
  const plainPage = await context.newPage()
  for (const [path, rows] of [
    ['ldm-151/v/', 600],
    ['ldm-151/builds/', 500],
    ['', 5],
  ] as const) {
    await plainPage.goto(`${server.address}/dashboards/${path}`)
    expect(await plainPage.locator('tbody tr:visible').count(), path).toBe(rows)
    expect(await plainPage.getByRole('search').count(), path).toBe(0)
  }
})

test('long titles have the width of a phone, with what is known of them below', async ({ page, server }) => {
  await page.setViewportSize(phone)
  await page.goto(`${server.address}/dashboards/`)
  const row = page.getByRole('row').filter({ hasText: 'LDM-151' })
  await row.getByText('600 editions, 3,000 builds').waitFor()
  const link = await row.getByRole('link').boundingBox()
  expect(link?.width).toBeGreaterThan(300)
  expect(await page.getByRole('columnheader').count()).toBe(1)
  await page.setViewportSize({ width: 1280, height: 900 })
  expect(await page.getByRole('columnheader').count()).toBe(4)
  expect(await row.getByRole('cell').allInnerTexts()).toEqual(['2026-11-20', '600', '3,000'])
})

plain('whoever runs the server has a title, a logo and a footer on every public page', async ({ open }) => {
  const keeper = await Keeper.start(large('pipelines', 12, 30))
  const server = await Server.start({
    ...quiet,
    SIDEREAL_CONFIG: await settingsOf(keeper.settings('lsst')),
    SIDEREAL_DASHBOARD__TITLE: 'Documentation of <Rubin>',
    SIDEREAL_DASHBOARD__FOOTER: 'Ask docs@example.org & friends.',
    SIDEREAL_DASHBOARD__LOGO: resolve('public/icon.svg'),
  })
  onTestFinished(async () => {
    await server.remove()
    keeper.close()
  })
  await build(server, 'pipelines')
  const { page } = await open(server)
  for (const path of ['', 'pipelines/v/', 'pipelines/builds/']) {
    await page.goto(`${server.address}/dashboards/${path}`)
    await page.getByRole('banner').getByText('Documentation of <Rubin>', { exact: true }).waitFor()
    await page.getByRole('contentinfo').getByText('Ask docs@example.org & friends.').waitFor()
    const width = await page.locator('img').evaluate((image: HTMLImageElement) => image.naturalWidth)
    expect(width, path).toBeGreaterThan(0)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await expectAccessible(page, `/dashboards/${path} with a logo, ${colorScheme}`)
    }
    await expectNothingSideways(page, path)
  }
})
