import type { Page } from 'playwright-core'

/** What the page of jobs says of the jobs that have been read, and where it is scrolled to. */
function place(page: Page): Promise<{ shown: number; isTop: boolean; isEnd: boolean }> {
  return page.evaluate(async () => {
    // What has come is laid out with the next frames.
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
    const [, number = '0'] = /([\d,]+) jobs?(?: so far|, all)/.exec(document.body.innerText) ?? []
    const { scrollHeight } = document.documentElement
    return {
      shown: Number(number.replaceAll(',', '')),
      isTop: window.scrollY < 1,
      isEnd: window.scrollY + window.innerHeight > scrollHeight - 2,
    }
  })
}

/** Scrolls the page of jobs down until so many of them have been read and the last is in view; how many then have. */
export async function readTo(page: Page, wanted: number): Promise<number> {
  for (;;) {
    await page.keyboard.press('End')
    const { shown, isEnd } = await place(page)
    if (shown >= wanted && isEnd) return shown
  }
}

/*
 * A scrolling key is pressed until the page is where it leads: Chromium scrolls smoothly, and can lose a Home that
 * comes while an End is under way (the page stays at its end, without an event to wait for); and a list that is drawn
 * by the piece can grow below an End that was on its way to where it used to end.
 */

/** Scrolls the page to its top by the keyboard. */
export async function scrollToTop(page: Page): Promise<void> {
  do await page.keyboard.press('Home')
  while (!(await place(page)).isTop)
}

/** Scrolls the page to its end by the keyboard. */
export async function scrollToEnd(page: Page): Promise<void> {
  do await page.keyboard.press('End')
  while (!(await place(page)).isEnd)
}
