import { expect, onTestFinished } from 'vitest'
import { expectAccessible, expectAccessibleEverywhere } from '../harness/axe.ts'
import { build, products, rows, run, test } from '../harness/dashboards.ts'
import { large, recorded } from '../harness/keeper.ts'
import { scrollToEnd } from '../harness/long-list.ts'
import { Server } from '../harness/server.ts'

test('the products are found, ordered and gone back to by the address', async ({ page }) => {
  await page.goto('./')
  await page.getByRole('navigation', { name: 'Places' }).getByRole('link', { name: 'Documentation' }).click()
  await page.getByRole('heading', { name: 'Documentation', level: 1 }).waitFor()
  await page.getByText('5 products').waitFor()
  const titles = () => products(page).getByRole('row').getByRole('link').allInnerTexts()
  expect(await titles()).toEqual([
    'Empty product',
    'LDM-151: Science pipelines: design and plans of ldm-151',
    'Pipes <script>alert(1)</script> & "co"',
    'Science pipelines: design and plans of pipelines',
    'SQR-900: Made-up note',
  ])
  await products(page).getByRole('button', { name: 'Builds' }).click()
  await products(page).getByRole('button', { name: 'Builds' }).click()
  await page.waitForURL(/sort=builds.*desc=true/)
  expect((await titles())[0]).toContain('LDM-151')
  const find = page.getByRole('searchbox', { name: 'Find a product' })
  await find.fill('spec')
  await page.getByText('1 of 5 products').waitFor()
  expect(page.url()).toContain('q=spec')
  await products(page).getByText('pipelines of spec').waitFor()
  await page.reload()
  await page.getByText('1 of 5 products').waitFor()
  expect(await find.inputValue()).toBe('spec')
  await find.fill('no such product')
  await page.getByRole('heading', { name: 'No product matches' }).waitFor()
  await page.getByRole('link', { name: 'Show all' }).click()
  await page.getByText('5 products').waitFor()
  expect(await find.inputValue()).toBe('')
})

test('the editions stand by kind, in the order of their versions, with the build behind each', async ({
  page,
}) => {
  await page.goto('dashboards/docs/lsst/sqr-900')
  await page.getByRole('heading', { name: 'SQR-900: Made-up note', level: 1 }).waitFor()
  const headings = page.getByRole('heading', { level: 2 })
  await headings.filter({ hasText: 'Current' }).waitFor()
  expect(await headings.allInnerTexts()).toEqual(['Current 1', 'Releases 3', 'Tickets 2', 'Branches 1'])
  const releases = rows(page, 'Releases')
  expect(await releases.getByRole('cell').nth(0).getByRole('link').getAttribute('href')).toBe(
    'https://sqr-900.docs.example/v/v1.10',
  )
  const names = releases.locator('[data-column="edition"]')
  expect(await names.allInnerTexts()).toEqual(['v1.10', 'v1.9', 'v1.0'])
  // To the build behind an edition, and from it to the edition again.
  await releases.nth(1).getByRole('link', { name: '6', exact: true }).click()
  await page.getByRole('heading', { name: 'Builds of SQR-900: Made-up note' }).waitFor()
  await page.getByText('8 builds, newest first').waitFor()
  const build6 = rows(page, 'Builds, newest first').filter({
    has: page.getByRole('link', { name: '6', exact: true }),
  })
  expect(await build6.getAttribute('data-active')).toBe('true')
  expect(await build6.getByRole('link', { name: 'octo' }).getAttribute('href')).toBe(
    'https://github.com/octo',
  )
  await build6.getByRole('link', { name: 'v1.10' }).last().click()
  await page.getByText('1 of 7 editions').waitFor()
})

test('what others have written is text, and only http and https are links', async ({
  page,
  keeper,
  server,
}) => {
  const evil = await recorded('pipes')
  evil.product = {
    ...evil.product,
    slug: 'evil',
    title: '<img src=x onerror=alert(1)>',
    doc_repo: 'javascript:alert(1)',
  }
  for (const part of [...evil.editions, ...evil.builds]) {
    part['product_url'] = 'http://127.0.0.1:15000/products/evil'
    if ('title' in part) part['title'] = '"><svg onload=alert(1)>'
    part['published_url'] = 'javascript:alert(1)'
    if ('git_refs' in part) part['git_refs'] = ['<img src=x onerror=alert(1)>']
    if ('tracked_refs' in part) part['tracked_refs'] = ['<img src=x onerror=alert(1)>']
  }
  keeper.publish(evil)
  await build(server, 'evil')
  page.on('dialog', (dialog) => void dialog.dismiss().then(() => expect.fail('a script has run')))
  const paths = [
    'dashboards/docs?q=img',
    'dashboards/docs/lsst/evil',
    'dashboards/docs/lsst/evil/builds',
    `${server.address}/dashboards/`,
    `${server.address}/dashboards/evil/v/`,
    `${server.address}/dashboards/evil/builds/`,
  ]
  for (const path of paths) {
    await page.goto(path)
    await page.getByText('<img src=x onerror=alert(1)>').first().waitFor()
    const odd = await page.evaluate(() => ({
      images: document.querySelectorAll('img[src="x"], svg[onload]').length,
      links: [...document.querySelectorAll('a')]
        .map(({ protocol }) => protocol)
        .filter((p) => !/^https?:$/.test(p)),
    }))
    expect(odd, path).toEqual({ images: 0, links: [] })
  }
})

test('of 600 editions and 3,000 builds few are in the page, and each is found', async ({ page }) => {
  await page.goto('dashboards/docs/lsst/ldm-151')
  await page.getByText('600 editions', { exact: true }).waitFor()
  await page.getByRole('img', { name: /^When 599 editions were rebuilt/ }).waitFor()
  expect(await page.getByRole('row').count()).toBeLessThanOrEqual(160)
  await page.getByRole('list', { name: 'Kinds' }).getByRole('link', { name: 'Branches' }).click()
  await rows(page, 'Branches').nth(1).waitFor()
  await page.getByRole('searchbox', { name: 'Find an edition' }).fill('dm-40599')
  await page.getByText('1 of 600 editions').waitFor()
  await page.getByText('rebuilding').waitFor({ state: 'detached' })
  await page.getByRole('searchbox', { name: 'Find an edition' }).fill('dm-4000')
  await page.getByText('rebuilding').waitFor()
  await page.getByText('not built yet').waitFor()

  await page.goto('dashboards/docs/lsst/ldm-151/builds')
  await page.getByText('3,000 builds, newest first').waitFor()
  const builds = rows(page, 'Builds, newest first')
  expect(await builds.count()).toBeLessThanOrEqual(60)
  await page.getByText('not uploaded').waitFor()
  await scrollToEnd(page)
  await page.getByRole('link', { name: '1', exact: true }).waitFor()
  expect(await builds.count()).toBeLessThanOrEqual(60)
  await page.getByRole('searchbox', { name: 'Find a build' }).fill('main')
  await page.getByText('5 of 3,000 builds').waitFor()
  // One in the midst is gone to.
  await page.goto('dashboards/docs/lsst/ldm-151/builds?build=1500')
  await page.getByRole('link', { name: '1500', exact: true }).waitFor()
  await page.goto('dashboards/docs/lsst/ldm-151/builds?build=9999')
  await page.getByText('There is no build 9999').waitFor()
})

test('a rebuild is watched to its end, changes nothing that has not changed, unless it is forced', async ({
  page,
  keeper,
  server,
}) => {
  keeper.publish(large('watched', 3, 5))
  await build(server, 'watched')
  await page.goto('dashboards/docs/lsst/watched')
  await page.getByText('3 editions', { exact: true }).waitFor()
  keeper.hold()
  onTestFinished(() => keeper.release())
  await page.getByRole('button', { name: 'Rebuild' }).click()
  await run(page).filter({ hasText: 'Running' }).waitFor()
  // Somebody else's page shows it too, and it is still there when this one is opened anew.
  await page.reload()
  await run(page).filter({ hasText: 'Running' }).waitFor()
  keeper.publish(large('watched', 4, 6))
  keeper.release()
  await run(page).filter({ hasText: 'Completed. The pages are new.' }).waitFor()
  await page.getByText('4 editions', { exact: true }).waitFor()
  await page.getByRole('link', { name: 'Builds (6)' }).waitFor()

  await page.getByRole('button', { name: 'Rebuild' }).click()
  await run(page).filter({ hasText: 'Nothing had changed' }).waitFor()
  await page.getByRole('button', { name: 'Make the pages anew all the same' }).click()
  await run(page).filter({ hasText: 'The pages are new.' }).waitFor()
  await page.getByRole('tab', { name: 'History' }).click()
  const jobs = rows(page, 'Jobs of this dashboard, newest first')
  await jobs.nth(4).waitFor()
  expect(await jobs.locator('[data-column="came"]').allInnerTexts()).toEqual([
    'New pages',
    'Nothing had changed',
    'New pages',
    'New pages',
  ])
  await jobs.nth(1).getByRole('link', { name: /^Job / }).click()
  await page.getByRole('heading', { name: 'rebuild watched', level: 1 }).waitFor()
})

test('a product that is gone, and a failure, are told; the pages stay', async ({ page, keeper, server }) => {
  keeper.publish(large('leaves', 3, 5))
  await build(server, 'leaves')
  keeper.forget('leaves')
  await page.goto('dashboards/docs/lsst/leaves')
  await page.getByText('3 editions', { exact: true }).waitFor()
  await page.getByRole('button', { name: 'Rebuild' }).click()
  await run(page).filter({ hasText: 'Failed' }).waitFor()
  await page.getByText('gone from LTD Keeper').waitFor()
  await page.getByText('3 editions', { exact: true }).waitFor()
  await page.getByRole('tab', { name: 'History' }).click()
  await rows(page, 'Jobs of this dashboard, newest first').nth(1).filter({ hasText: 'Failed' }).waitFor()
  await expectAccessibleEverywhere(page, 'a product that is gone')
  await page.goto('dashboards/docs?q=leaves')
  await products(page).getByText('gone from LTD Keeper').waitFor()

  await products(page).getByRole('link').click()
  await page.getByRole('button', { name: 'Remove it' }).click()
  const dialog = page.getByRole('dialog', { name: /^Remove the dashboard of/ })
  await dialog.waitFor()
  await expectAccessibleEverywhere(page, 'a dashboard to remove')
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click()
  await page.getByRole('heading', { name: 'Documentation', level: 1 }).waitFor()
  await products(page)
    .getByRole('link', { name: /^SQR-900/ })
    .waitFor()
  expect(
    await products(page)
      .getByRole('link', { name: /leaves/ })
      .count(),
  ).toBe(0)
  expect((await server.fetch('/dashboards/leaves/v/')).status).toBe(404)
})

test('all are rebuilt by one click, those of each Keeper', async ({ page }) => {
  await page.goto('dashboards/docs')
  await page.getByRole('button', { name: 'Rebuild all' }).click()
  const dialog = page.getByRole('dialog', { name: /^Rebuild \d+ dashboards\?$/ })
  await dialog.waitFor()
  await expectAccessibleEverywhere(page, 'rebuild all')
  await dialog.getByRole('button', { name: 'Rebuild', exact: true }).click()
  await page.getByRole('button', { name: 'Show it' }).click()
  await page.getByRole('heading', { name: 'rebuild dashboards', level: 1 }).waitFor()
  await page.getByText('Completed').first().waitFor()
})

test('there is nothing to be seen of what is not there', async ({ page, guard, open }) => {
  guard.expect(/status of 404/)
  await page.goto('dashboards/docs/lsst/nowhere')
  await page.getByRole('heading', { name: 'There is no such thing here' }).waitFor()
  await expectAccessible(page, 'no such product')
  await page.getByRole('link', { name: 'To all products' }).click()
  await page.getByRole('heading', { name: 'Documentation', level: 1 }).waitFor()

  const without = await Server.start({ SIDEREAL_SERVICES: 'echo' })
  onTestFinished(() => without.remove())
  const other = await open(without)
  await other.page.goto('dashboards/docs')
  await other.page.getByRole('heading', { name: 'This server makes no dashboards' }).waitFor()
  await expectAccessible(other.page, 'no dashboards')
  const places = other.page.getByRole('navigation', { name: 'Places' })
  expect(await places.getByRole('link', { name: 'Documentation' }).count()).toBe(0)
})
