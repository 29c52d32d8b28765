import type { Page } from 'playwright-core'

/** Scrolls the page of jobs down until so many of them have been read; how many then have. */
export async function readTo(page: Page, wanted: number): Promise<number> {
  for (;;) {
    await page.keyboard.press('End')
    const shown = await page.evaluate(async () => {
      // What has come is laid out with the next frames.
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
      const [, number = '0'] = /([\d,]+) jobs?(?: so far|, all)/.exec(document.body.innerText) ?? []
      return Number(number.replaceAll(',', ''))
    })
    if (shown >= wanted) {
      // To where the end is now.
      await page.keyboard.press('End')
      return shown
    }
  }
}
