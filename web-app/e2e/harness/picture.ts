import type { Page } from 'playwright-core'

/** Means over all pixels of a picture, 0 to 255. */
export type Colours = { red: number; green: number; blue: number }

/** What a browser reads of the pixels of a PNG: on a page of no origin, which no policy binds. */
async function readPixels<T>(page: Page, png: Buffer, read: (image: ImageData) => T): Promise<T> {
  const blank = await page.context().newPage()
  try {
    const image = await blank.evaluateHandle(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }))
      const { width, height } = bitmap
      const context = new OffscreenCanvas(width, height).getContext('2d')
      if (context === null) throw new Error('no canvas')
      context.drawImage(bitmap, 0, 0)
      return context.getImageData(0, 0, width, height)
    }, png.toString('base64'))
    return await image.evaluate(read)
  } finally {
    await blank.close()
  }
}

/** The colours of a PNG. */
export const coloursOf = (page: Page, png: Buffer): Promise<Colours> =>
  readPixels(page, png, ({ data, width, height }) => {
    const sum = [0, 0, 0, 0]
    data.forEach((value, at) => (sum[at % 4] = (sum[at % 4] ?? 0) + value))
    const [red = 0, green = 0, blue = 0] = sum.map((value) => value / (width * height))
    return { red, green, blue }
  })

/** Where the light is in a half of a picture, from its middle, in shares of its width; undefined where it is dark. */
export type Light = { left: [number, number] | undefined; right: [number, number] | undefined }

/** The middle of what shines in either half of a PNG; what lies at its edges, such as round corners, is left out. */
export const lightIn = (page: Page, png: Buffer): Promise<Light> =>
  readPixels(page, png, ({ data, width, height }) => {
    const sums = { left: [0, 0, 0], right: [0, 0, 0] }
    const [left, top] = [Math.round(width / 8), Math.round(height / 8)]
    for (let y = top; y < height - top; y += 1) {
      for (let x = left; x < width - left; x += 1) {
        const [red = 0, green = 0, blue = 0] = data.subarray((y * width + x) * 4)
        if (Math.min(red, green, blue) < 160) continue
        const sum = sums[x < width / 2 ? 'left' : 'right']
        sum[0] = (sum[0] ?? 0) + 1
        sum[1] = (sum[1] ?? 0) + x + 0.5 - width / 2
        sum[2] = (sum[2] ?? 0) + y + 0.5 - height / 2
      }
    }
    const middle = ([number = 0, x = 0, y = 0]: number[]): [number, number] | undefined =>
      number < 4 ? undefined : [x / number / width, y / number / width]
    return { left: middle(sums.left), right: middle(sums.right) }
  })
