import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessible, expectAccessibleEverywhere } from '../harness/axe.ts'
import { products, rows, test } from '../harness/dashboards.ts'
import { expectNothingSideways } from '../harness/widths.ts'

const looked: readonly [string, string, (page: Page) => Promise<unknown>][] = [
  ['dashboards', 'dashboards/docs', (page) => products(page).getByRole('row').nth(1).waitFor()],
  ['a dashboard', 'dashboards/docs/lsst/sqr-900', (page) => rows(page, 'Releases').nth(1).waitFor()],
  ['a hostile dashboard', 'dashboards/docs/lsst/pipes', (page) => rows(page, 'Branches').nth(1).waitFor()],
  ['a long dashboard', 'dashboards/docs/lsst/ldm-151', (page) => rows(page, 'Releases').nth(1).waitFor()],
  [
    'history',
    'dashboards/docs/lsst/sqr-900?tab=history',
    (page) => rows(page, 'Jobs of this dashboard, newest first').nth(1).waitFor(),
  ],
  [
    'builds',
    'dashboards/docs/lsst/ldm-151/builds',
    (page) => rows(page, 'Builds, newest first').nth(1).waitFor(),
  ],
  ['no builds', 'dashboards/docs/lsst/empty/builds', (page) => page.getByText('No build yet').waitFor()],
]

for (const [name, path, whole] of looked) {
  test(`${name}: axe in light, dark and night red, wide and 390 px; nothing sideways; policy`, async ({
    page,
  }) => {
    const answer = await page.goto(path)
    expect(answer?.headers()['content-security-policy']).not.toContain('unsafe-inline')
    await whole(page)
    await expectAccessibleEverywhere(page, name)
    await expectNothingSideways(page, name)
    await page.getByRole('button', { name: 'Theme' }).click()
    await page.getByRole('menuitemradio', { name: 'Night red' }).click()
    await page.getByRole('menuitemradio', { name: 'Night red' }).waitFor({ state: 'hidden' })
    await expectAccessible(page, `${name}, night red`)
  })
}

for (const path of [
  '',
  'sqr-900/v/',
  'sqr-900/builds/',
  'pipes/v/',
  'empty/v/',
  'empty/builds/',
  'ldm-151/v/',
  'ldm-151/builds/page-2.html',
  '_spec/',
  '_spec/pipelines/v/',
]) {
  test(`the public page /dashboards/${path}: axe in light and dark, wide and 390 px; nothing sideways`, async ({
    page,
    server,
  }) => {
    const answer = await page.goto(`${server.address}/dashboards/${path}`)
    expect(answer?.status()).toBe(200)
    expect(answer?.headers()['content-security-policy']).toContain("default-src 'none'")
    await page.getByRole('heading', { level: 1 }).waitFor()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      for (const width of [1280, 390]) {
        await page.setViewportSize({ width, height: 900 })
        await expectAccessible(page, `/dashboards/${path}, ${colorScheme}, ${width} px`)
      }
    }
    await expectNothingSideways(page, path)
  })
}
