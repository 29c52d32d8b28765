import type { Page } from 'playwright-core'

/** Means over all pixels of a picture, 0 to 255. */
export type Colours = { red: number; green: number; blue: number }

/** The colours of a PNG, decoded by a browser: on a page of no origin, which no policy binds. */
export async function coloursOf(page: Page, png: Buffer): Promise<Colours> {
  const blank = await page.context().newPage()
  try {
    return await blank.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
      const { width, height } = bitmap
      const context = new OffscreenCanvas(width, height).getContext('2d')
      context?.drawImage(bitmap, 0, 0)
      const data = context?.getImageData(0, 0, width, height).data ?? new Uint8ClampedArray()
      const sum = [0, 0, 0, 0]
      data.forEach((value, at) => (sum[at % 4] = (sum[at % 4] ?? 0) + value))
      const [red = 0, green = 0, blue = 0] = sum.map((value) => value / (width * height))
      return { red, green, blue }
    }, png.toString('base64'))
  } finally {
    await blank.close()
  }
}
