import { mkdir } from 'node:fs/promises'
import {
  chromium as engine,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core'
import { inject, test as plain } from 'vitest'
import { Guard } from './guard.ts'
import { chromium } from './program.ts'
import { Realm } from './realm.ts'
import { Server } from './server.ts'

/** Pictures of pages whose test has failed. */
const pictures = '../target/e2e'

/** One person's browser: its pages, and what watches them. */
export type Person = { context: BrowserContext; page: Page; guard: Guard }

/** Opens a browser of nobody yet, at one of these servers. */
export type Open = (server: Server, options?: BrowserContextOptions) => Promise<Person>

type File = { browser: Browser; server: Server }
type Each = { open: Open; person: Person; page: Page; guard: Guard }

const patience = 30_000

/** Tests with a browser of their own at the server of their file, where nobody signs in. */
export const test = plain.extend<File & Each>({
  browser: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      // Of a canvas the software's own drawing is quicker than a GPU's in software.
      const browser = await engine.launch({
        executablePath: chromium,
        args: ['--no-sandbox', '--disable-gpu'],
      })
      await use(browser)
      await browser.close()
    },
    { scope: 'file' },
  ],
  server: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const server = await Server.start()
      await use(server)
      await server.remove()
    },
    { scope: 'file' },
  ],
  open: async ({ browser, task }, use) => {
    const people: Person[] = []
    const servers = new Set<Server>()
    await use(async (server, options = {}) => {
      servers.add(server)
      const context = await browser.newContext({
        baseURL: `${server.address}/app/`,
        viewport: { width: 1280, height: 900 },
        colorScheme: 'light',
        ...options,
      })
      context.setDefaultTimeout(patience)
      const guard = new Guard(context)
      guard.allow(server.address)
      const person = { context, guard, page: await context.newPage() }
      people.push(person)
      return person
    })
    try {
      if (task.result?.state === 'fail') {
        await keepPictures(people, task.name)
        for (const server of servers)
          console.log(`the end of the log of ${server.address}:\n${server.log.slice(-2_000)}`)
      } else for (const { guard } of people) guard.check()
    } finally {
      await Promise.all(people.map(({ context }) => context.close()))
    }
  },
  person: async ({ open, server }, use) => use(await open(server)),
  page: async ({ person }, use) => use(person.page),
  guard: async ({ person }, use) => use(person.guard),
})

/** Whether there is a Keycloak; where there must be one, the setup has failed without. */
const hasKeycloak = inject('keycloak') !== undefined

/** The same, where people sign in at a real Keycloak: each file has a realm of its own. */
const withLogins = test.extend<{ realm: Realm; server: Server; open: Open }>({
  realm: [
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => use(await Realm.create()),
    { scope: 'file' },
  ],
  server: [
    async ({ realm }, use) => {
      const server = await Server.start(realm.settings)
      await realm.allow(server.address)
      await use(server)
      await server.remove()
    },
    { scope: 'file' },
  ],
  open: async ({ open, realm }, use) =>
    use(async (server, options) => {
      const person = await open(server, options)
      person.guard.allow(realm.issuer)
      // So a page learns that nobody is signed in, and browsers write down every such answer.
      person.guard.expect(/status of 401/)
      return person
    }),
})

/** Skipped by name without a Keycloak. */
export const loginTest = hasKeycloak ? withLogins : withLogins.skip

async function keepPictures(people: readonly Person[], name: string) {
  await mkdir(pictures, { recursive: true })
  const file = name.replace(/[^a-z0-9]+/gi, '-').slice(0, 80)
  const pages = people.flatMap(({ context }) => context.pages())
  for (const [index, page] of pages.entries()) {
    const path = `${pictures}/${file}-${index + 1}.png`
    await page.screenshot({ path, fullPage: true }).catch(() => undefined)
    console.log(`${page.url()} as it was: target/e2e/${file}-${index + 1}.png`)
  }
}
