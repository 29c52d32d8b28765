import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessibleEverywhere } from '../harness/axe.ts'
import { test as plain } from '../harness/fixtures.ts'
import { makeJobs, places, type Jobs } from '../harness/places.ts'
import { desktop, expectNothingSideways, phone } from '../harness/widths.ts'

const test = plain.extend<{ jobs: Jobs }>({
  jobs: [async ({ server }, use) => use(await makeJobs(server)), { scope: 'file' }],
})

// 36 is the guard of all pages: no error, nothing that the policy forbids, no request to another origin.
for (const { name, path, whole } of places) {
  test(`33, 34, 36: ${name}: axe in light and dark, wide and 390 px; nothing sideways; policy`, async ({
    page,
    jobs,
  }) => {
    const answer = await page.goto(path(jobs))
    const policy = answer?.headers()['content-security-policy'] ?? ''
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toContain('unsafe-inline')
    await whole(page)
    await expectAccessibleEverywhere(page, name)
    await expectNothingSideways(page, name)
  })
}

const openDialogs: readonly [string, (page: Page, jobs: Jobs) => Promise<void>][] = [
  [
    'go to',
    async (page) => {
      await page.goto('./')
      await page.getByText('five stars').first().waitFor()
      await page.keyboard.press('Control+k')
      await page.getByRole('combobox', { name: 'Go to' }).waitFor()
      await page.getByRole('option').first().waitFor()
    },
  ],
  [
    'keys',
    async (page) => {
      await page.goto('help')
      await page.getByRole('button', { name: 'Keys' }).click()
      await page.getByRole('dialog', { name: 'Keys' }).waitFor()
    },
  ],
  [
    'abort',
    async (page, { running }) => {
      await page.goto(`jobs/${running}`)
      await page.getByRole('button', { name: 'Abort' }).click()
      await page.getByRole('dialog', { name: 'Abort this job?' }).waitFor()
    },
  ],
  ...(['Rename', 'Keep until', 'Delete'] as const).map(
    (item): [string, (page: Page, jobs: Jobs) => Promise<void>] => [
      item,
      async (page, { done }) => {
        await page.goto(`jobs/${done}`)
        await page.getByRole('button', { name: 'More', exact: true }).click()
        await page.getByRole('menuitem', { name: item }).click()
        await page.getByRole('dialog').waitFor()
      },
    ],
  ),
  [
    'more',
    async (page, { done }) => {
      await page.goto(`jobs/${done}`)
      await page.getByRole('button', { name: 'More', exact: true }).click()
      await page.getByRole('menuitem', { name: 'Rename' }).waitFor()
    },
  ],
  [
    'more of files',
    async (page, { done }) => {
      await page.goto(`jobs/${done}?tab=files`)
      await page.getByRole('tabpanel').getByRole('button', { name: 'More', exact: true }).click()
      await page.getByRole('menuitem').first().waitFor()
    },
  ],
  [
    'delete many',
    async (page) => {
      await page.goto('jobs')
      await page.getByRole('checkbox', { name: 'All that are shown' }).check()
      await page.getByRole('region', { name: 'Chosen jobs' }).getByRole('button', { name: 'Delete' }).click()
      await page.getByRole('dialog', { name: /^Delete \d+ jobs/ }).waitFor()
    },
  ],
  [
    'theme',
    async (page) => {
      await page.goto('help')
      await page.getByRole('button', { name: 'Theme' }).click()
      await page.getByRole('menuitemradio', { name: 'Dark' }).waitFor()
    },
  ],
]

for (const [name, show] of openDialogs) {
  test(`33: the dialog or menu “${name}”: axe in light and dark, wide and 390 px`, async ({ page, jobs }) => {
    await show(page, jobs)
    await expectAccessibleEverywhere(page, name)
  })
}

test('33: the menu of places on a phone, and the keyboard’s way past it', async ({ page, jobs }) => {
  await page.setViewportSize(phone)
  await page.goto(`jobs/${jobs.done}`)
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Jobs' }).waitFor()
  await expectAccessibleEverywhere(page, 'menu of places')
  await page.setViewportSize(desktop)
  await page.goto('jobs')
  await page.getByRole('table', { name: 'Jobs, newest first' }).waitFor()
  await page.keyboard.press('Tab')
  const skip = page.getByRole('link', { name: 'Skip to the page' })
  expect(await skip.evaluate((link) => link === document.activeElement)).toBe(true)
  await page.keyboard.press('Enter')
  await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('page')
})

test('36: what people write is text, wherever it stands', async ({ page, server }) => {
  const evil = '<img src=x onerror=alert(1)>'
  const id = await server.job({ service: 'echo', runId: evil, parameters: { NOTE: [`${evil}</pre>`] } })
  await server.until(id, 'COMPLETED')
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => expect.fail('a script of a label has run')))
  for (const path of ['./', 'jobs', `jobs/${id}`, `jobs/${id}?tab=request`, `jobs/${id}?tab=log`]) {
    await page.goto(path)
    await page.getByText(evil).or(page.getByRole('log')).first().waitFor()
    expect(await page.locator('img[src="x"]').count()).toBe(0)
  }
})
