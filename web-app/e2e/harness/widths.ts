import { expect } from 'vitest'
import type { Page } from 'playwright-core'
import { settled } from './axe.ts'

export const desktop = { width: 1280, height: 900 }
export const phone = { width: 390, height: 844 }
/** What 1280 pixels are at a zoom of 400 % (WCAG 2.2, 1.4.10). */
const zoomed = { width: 320, height: 256 }

/** How far the page can be scrolled sideways. */
const overflow = (page: Page) =>
  page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement
    return scrollWidth - clientWidth
  })

/** Fails if anything of the page lies beyond the sides of a narrow screen. */
export async function expectNothingSideways(page: Page, what: string): Promise<void> {
  for (const viewport of [phone, zoomed]) {
    await page.setViewportSize(viewport)
    await settled(page)
    expect(await overflow(page), `pixels of ${what} beyond ${viewport.width}`).toBe(0)
  }
  await page.setViewportSize(desktop)
}
