import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { test as plain } from './fixtures.ts'
import { Keeper, large, recorded } from './keeper.ts'
import { Server } from './server.ts'

/** Nothing is looked at that no job is for, unless a test sets it. */
export const quiet = { SIDEREAL_DASHBOARD__SWEEP: '0', SIDEREAL_DASHBOARD__DEBOUNCE: '0' }

/** A file of settings with these Keepers. */
export async function settingsOf(...keepers: readonly string[]): Promise<string> {
  const path = join(tmpdir(), `sidereal-e2e-${process.pid}-${Math.random().toString(36).slice(2)}.toml`)
  await writeFile(path, keepers.join('\n'))
  return path
}

/** Waits until these products have pages. */
export async function build(server: Server, ...products: readonly string[]): Promise<void> {
  await server.completed({ service: 'dashboard', parameters: { PRODUCT: products } })
}

/** Tests at a server that knows two Keepers, each a stand-in, and has built dashboards of their products. */
export const test = plain.extend<{ keeper: Keeper; server: Server }>({
  keeper: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const keeper = await Keeper.start(
        await recorded('sqr-900'),
        await recorded('pipes'),
        await recorded('empty'),
        large('ldm-151', 600, 3_000),
      )
      await use(keeper)
      keeper.close()
    },
    { scope: 'file' },
  ],
  server: [
    async ({ keeper }, use) => {
      const other = await Keeper.start(large('pipelines', 12, 30))
      const server = await Server.start({
        ...quiet,
        SIDEREAL_CONFIG: await settingsOf(keeper.settings('lsst'), other.settings('spec', '_spec')),
      })
      await build(server, 'sqr-900', 'pipes', 'empty', 'ldm-151', 'spec/pipelines')
      await use(server)
      await server.remove()
      other.close()
    },
    { scope: 'file' },
  ],
})

export const products = (page: Page) => page.getByRole('table', { name: 'Products' })
export const rows = (page: Page, table: string) => page.getByRole('table', { name: table }).getByRole('row')

/** What a screen reader is told of the rebuild that a page shows. */
export const run = (page: Page) => page.getByRole('status').filter({ hasText: 'Rebuild:' })
