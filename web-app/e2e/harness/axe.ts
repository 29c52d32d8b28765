import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

const standard = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa']

const widths = [
  ['1280 px', { width: 1280, height: 900 }],
  ['390 px', { width: 390, height: 844 }],
] as const

type Violation = { id: string; nodes: { target: string[]; failureSummary?: string }[] }
type Axe = { run: (context: unknown, options: unknown) => Promise<{ violations: Violation[] }> }

type Options = {
  /** Left out: only what is not ours to mend, with a reason beside the call. */
  except?: readonly string[]
}

/** Fails if axe finds anything on the page as it is that WCAG 2.2 A or AA forbids. */
export async function expectAccessible(
  page: Page,
  what: string,
  { except = [] }: Options = {},
): Promise<void> {
  await settled(page)
  // By the debugger, which the page's policy does not bind.
  const isThere = await page.evaluate(() => 'axe' in globalThis)
  if (!isThere) await page.evaluate(`${await source}; undefined`)
  const runOnly = { type: 'tag', values: standard }
  const violations = await page.evaluate(
    async ({ runOnly, except }) => {
      const { axe } = globalThis as unknown as { axe: Axe }
      const found = await axe.run({ exclude: except }, { runOnly, resultTypes: ['violations'] })
      return found.violations.flatMap(({ id, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id} at ${target.join(' ')}: ${failureSummary ?? ''}`),
      )
    },
    { runOnly, except },
  )
  if (violations.length > 0) throw new Error(`axe on ${what}:\n${violations.join('\n')}`)
}

/** The same in both schemes and at both widths. */
export async function expectAccessibleEverywhere(page: Page, what: string): Promise<void> {
  for (const [width, viewport] of widths) {
    await page.setViewportSize(viewport)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor()
      await expectAccessible(page, `${what}, ${colorScheme}, ${width}`)
    }
  }
  await page.setViewportSize(widths[0][1])
}

/** Waits until nothing fades or slides any more: a colour that is half there has no contrast. */
export async function settled(page: Page): Promise<void> {
  // What has just been changed begins to move with the next frame.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter(({ effect }) => effect?.getComputedTiming().endTime !== Infinity)
        .map((animation) => animation.finished.catch(() => undefined)),
    ),
  )
}
