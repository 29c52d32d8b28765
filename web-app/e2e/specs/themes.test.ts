import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { expectAccessible, settled } from '../harness/axe.ts'
import { test as plain } from '../harness/fixtures.ts'
import { coloursOf } from '../harness/picture.ts'
import { makeJobs, places, type Jobs } from '../harness/places.ts'

const test = plain.extend<{ jobs: Jobs }>({
  jobs: [async ({ server }, use) => use(await makeJobs(server)), { scope: 'file' }],
})

/** What is drawn of our own: the pictures that a page shows keep the colours of the sky. */
async function shot(page: Page, name: string) {
  await settled(page)
  const path = `../target/e2e/${name.replace(/[^a-z0-9]+/gi, '-')}.png`
  return coloursOf(
    page,
    await page.screenshot({ path, mask: [page.locator('img, canvas')], maskColor: '#000' }),
  )
}

const looked = places.filter(({ name }) => ['home', 'jobs', 'job, files', 'profile', 'help'].includes(name))

for (const { name, path, whole } of looked) {
  test(`35: ${name} is light by day, dark by night, and red for dark eyes`, async ({ page, jobs }) => {
    await page.goto(path(jobs))
    await whole(page)
    const choose = async (theme: string) => {
      await page.getByRole('button', { name: 'Theme' }).click()
      await page.getByRole('menuitemradio', { name: theme }).click()
      await page.getByRole('menuitemradio', { name: theme }).waitFor({ state: 'hidden' })
    }
    await choose('Light')
    const light = await shot(page, `${name}-light`)
    expect(Math.min(light.red, light.green, light.blue)).toBeGreaterThan(200)
    await choose('Dark')
    const dark = await shot(page, `${name}-dark`)
    expect(Math.max(dark.red, dark.green, dark.blue)).toBeLessThan(70)
    await choose('Night red')
    const night = await shot(page, `${name}-night`)
    expect(night.red).toBeGreaterThan(night.green)
    expect(night.red).toBeGreaterThan(night.blue)
    expect(Math.max(night.red, night.green, night.blue)).toBeLessThan(50)
    await expectAccessible(page, `${name}, night red`)
    // It stays when the page is opened anew.
    await page.reload()
    await whole(page)
    expect((await shot(page, `${name}-night`)).red).toBeCloseTo(night.red, 0)
  })

  test(`35: ${name} is whole in the system’s own colours and without motion`, async ({ page, jobs }) => {
    await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' })
    await page.goto(path(jobs))
    await whole(page)
    await shot(page, `${name}-forced-colours`)
    // Glyphs of phases are lines of the text's colour: they must not vanish into the background.
    const hidden = await page.evaluate(
      () =>
        [...document.querySelectorAll<SVGElement>('svg[data-phase] path')].filter((path) => {
          const { stroke } = getComputedStyle(path)
          return stroke === getComputedStyle(document.body).backgroundColor || stroke === 'none'
        }).length,
    )
    expect(hidden).toBe(0)
    const moving = await page.evaluate(
      () =>
        document
          .getAnimations()
          .filter(({ effect }) => Number(effect?.getComputedTiming().duration ?? 0) > 50).length,
    )
    expect(moving).toBe(0)
    await expectAccessible(page, `${name}, forced colours`)
  })
}
