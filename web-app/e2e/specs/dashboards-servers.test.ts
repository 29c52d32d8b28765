import { expect, onTestFinished } from 'vitest'
import { expectAccessibleEverywhere } from '../harness/axe.ts'
import { build, products, quiet, rows, run, settingsOf } from '../harness/dashboards.ts'
import { loginTest, test } from '../harness/fixtures.ts'
import { Keeper, large, recorded } from '../harness/keeper.ts'
import { Server } from '../harness/server.ts'
import { signIn } from '../harness/sign-in.ts'

test('the list says that it is old while the server is away', async ({ open }) => {
  const keeper = await Keeper.start(await recorded('sqr-900'))
  const server = await Server.start({
    ...quiet,
    SIDEREAL_CONFIG: await settingsOf(keeper.settings('lsst')),
  })
  onTestFinished(async () => {
    await server.remove()
    keeper.close()
  })
  await build(server, 'sqr-900')
  const { page, guard } = await open(server)
  guard.expect(/Failed to load resource|ERR_/)
  await page.goto('dashboards/docs')
  await page.getByText('1 product', { exact: true }).waitFor()
  await server.stop()
  await page.getByText('This is as it was at').waitFor({ timeout: 120_000 })
  await expectAccessibleEverywhere(page, 'dashboards, old')
  await products(page)
    .getByRole('link', { name: /^SQR-900/ })
    .waitFor()
})

test('what no Keeper has called for is found by looking', async ({ open }) => {
  const many = Array.from({ length: 12 }, (_, index) => large(`dmtn-${100 + index}`, 3, 4))
  const keeper = await Keeper.start(...many)
  const server = await Server.start({
    ...quiet,
    SIDEREAL_DASHBOARD__SWEEP: '2',
    SIDEREAL_CONFIG: await settingsOf(keeper.settings('lsst')),
  })
  onTestFinished(async () => {
    await server.remove()
    keeper.close()
  })
  const { page } = await open(server)
  await page.goto('dashboards/docs')
  await page.getByText('12 products').waitFor({ timeout: 120_000 })
  expect(server.log).not.toContain('products not looked at')
})

loginTest('operators rebuild; others read', async ({ open, realm }) => {
  const keeper = await Keeper.start(await recorded('sqr-900'))
  const server = await Server.start({
    ...realm.settings,
    ...quiet,
    SIDEREAL_CONFIG: await settingsOf(keeper.settings('lsst')),
  })
  onTestFinished(async () => {
    await server.remove()
    keeper.close()
  })
  await realm.allow(server.address)
  server.as(await realm.token('olga'))
  await build(server, 'sqr-900')
  const { page } = await open(server)
  await signIn(page, 'olga', 'dashboards/docs/lsst/sqr-900')
  await page.getByRole('button', { name: 'Rebuild' }).click()
  await run(page).filter({ hasText: 'Completed' }).waitFor()
  const alice = await open(server)
  await signIn(alice.page, 'alice', 'dashboards/docs/lsst/sqr-900?tab=history')
  const jobs = rows(alice.page, 'Jobs of this dashboard, newest first')
  await jobs.nth(2).waitFor()
  await jobs.nth(1).getByText('somebody else’s').waitFor()
  expect(await jobs.getByRole('link').count()).toBe(0)
  expect(await alice.page.getByRole('button', { name: /Rebuild/ }).count()).toBe(0)
  await alice.page.goto('dashboards/docs')
  await alice.page.getByText('1 product', { exact: true }).waitFor()
  expect(await alice.page.getByRole('button', { name: /Rebuild/ }).count()).toBe(0)
})
