import type { Page } from 'playwright-core'

/** Scrolls the page of jobs down until so many of them have been read and the last is in view; how many then have. */
export async function readTo(page: Page, wanted: number): Promise<number> {
  for (;;) {
    await page.keyboard.press('End')
    const { shown, isEnd } = await page.evaluate(async () => {
      // What has come is laid out with the next frames.
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
      const [, number = '0'] = /([\d,]+) jobs?(?: so far|, all)/.exec(document.body.innerText) ?? []
      const { scrollHeight } = document.documentElement
      return {
        shown: Number(number.replaceAll(',', '')),
        isEnd: window.scrollY + window.innerHeight > scrollHeight - 2,
      }
    })
    if (shown >= wanted && isEnd) return shown
  }
}
