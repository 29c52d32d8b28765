import { chromium as engine, type Locator, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { expectAccessible } from '../harness/axe.ts'
import { test } from '../harness/fixtures.ts'
import { Guard } from '../harness/guard.ts'
import { lightIn } from '../harness/picture.ts'
import { chromium } from '../harness/program.ts'
import type { Server } from '../harness/server.ts'
import { bands, days, imageOf, listOf, stars } from '../harness/sky.ts'

const file = (buffer: Buffer) => ({ name: 'local.fits', mimeType: 'image/fits', buffer })
const chooser = (page: Page) => page.getByLabel('A FITS file of this computer')
/** A canvas that draws itself may be seen before it has its first pixels. */
const view = (page: Page) => page.getByRole('application', { name: /^local\.fits/ })

/** The red, green and blue of a canvas at these points, in CSS pixels from its upper left. */
const coloursAt = (canvas: Locator, points: readonly (readonly [number, number])[]) =>
  canvas.evaluate((element, points) => {
    if (!(element instanceof HTMLCanvasElement)) throw new Error('no canvas')
    const context = element.getContext('2d')
    const ratio = element.width / element.clientWidth
    return points.map(([x, y]) => [
      ...(context?.getImageData(Math.floor(x * ratio), Math.floor(y * ratio), 1, 1).data.subarray(0, 3) ??
        []),
    ])
  }, points)

test('24: thumbnails are drawn, and the keyboard blinks epochs of a position', async ({ page, server }) => {
  const { jobId } = await server.completed({
    service: 'cutout',
    runId: 'to blink',
    parameters: { COLLECTION: ['sky'], SIZE: ['1'], POSITIONS: [listOf(stars)] },
  })
  await page.goto(`jobs/${jobId}`)
  const thumbnails = page.getByRole('button', { name: /^alpha/ }).locator('img')
  await expect.poll(() => thumbnails.count()).toBe(6)
  await thumbnails.first().scrollIntoViewIfNeeded()
  for (const thumbnail of await thumbnails.all()) {
    await expect
      .poll(() => thumbnail.evaluate((image: HTMLImageElement) => image.naturalWidth))
      .toBeGreaterThan(0)
  }

  await page.goto(`jobs/${jobId}/objects/1`)
  await page.getByRole('heading', { name: 'alpha', level: 1 }).waitFor()
  const cells = page.getByRole('region', { name: 'Cutouts by band and epoch' }).getByRole('button')
  await expect.poll(() => cells.count()).toBe(bands.length * days.length)
  const chosen = page
    .getByRole('region', { name: 'Cutouts by band and epoch' })
    .getByRole('button', { pressed: true })
  const name = async () => (await chosen.getAttribute('aria-label')) ?? ''
  await page.getByRole('application', { name: /^alpha/ }).waitFor()
  const first = await name()
  await page.keyboard.press('ArrowRight')
  await expect.poll(name).not.toBe(first)
  const second = await name()
  // Another epoch of the same band.
  expect(second.split(', ')[1]).toBe(first.split(', ')[1])
  await page.keyboard.press('ArrowLeft')
  await expect.poll(name).toBe(first)
  await page.keyboard.press('Space')
  const blink = page.getByRole('button', { name: `Blink ${days.length}` })
  await expect.poll(() => blink.getAttribute('aria-pressed')).toBe('true')
  await expect.poll(name).toBe(second)
  await expect.poll(name).not.toBe(second)
  await page.keyboard.press('Space')
  await expect.poll(() => blink.getAttribute('aria-pressed')).toBe('false')
  await page.keyboard.press('j')
  await page.getByRole('heading', { name: 'beta', level: 1 }).waitFor()
})

test('25: a local file is drawn pixel by pixel, north up and east left, and read under the cursor', async ({
  page,
}) => {
  const side = 33
  const valueOf = (x: number, y: number) => 4 * x + 2 * y
  await page.goto('viewer?stretch=linear&map=grey')
  await chooser(page).setInputFiles(file(imageOf({ side, scale: 1 / 3600, stars: [] }, valueOf)))
  await view(page).waitFor()
  await page.getByLabel('From', { exact: true }).fill('0')
  await page.getByLabel('to', { exact: true }).fill('255')
  await page.getByLabel('to', { exact: true }).press('Enter')
  await page.waitForURL(/cuts=0(,|%2C)255/)

  const canvas = view(page).locator('canvas')
  const box = await canvas.boundingBox()
  if (box === null) throw new Error('the canvas is not seen')
  const zoom = Math.min(box.width / side, box.height / side)
  // The middle of a pixel (from 0, the first row below) on the canvas.
  const place = (x: number, y: number): [number, number] => [
    box.width / 2 + (x + 0.5 - side / 2) * zoom,
    box.height / 2 - (y + 0.5 - side / 2) * zoom,
  ]
  // Beside the compass and the scale, which lie in the corners.
  const pixels = Array.from(
    { length: 17 * 17 },
    (_, index) => [8 + (index % 17), 8 + Math.floor(index / 17)] as const,
  )
  const golden = pixels.map(([x, y]) => [valueOf(x, y), valueOf(x, y), valueOf(x, y)])
  await expect
    .poll(async () => {
      const drawn = await coloursAt(
        canvas,
        pixels.map(([x, y]) => place(x, y)),
      )
      return Math.max(
        ...drawn.flatMap((colour, at) => colour.map((one, of) => Math.abs(one - (golden[at]?.[of] ?? 0)))),
      )
    })
    .toBeLessThanOrEqual(1)

  // The pixel that the position of the header is in.
  const [x, y] = place(16, 16)
  await page.mouse.move(box.x + x, box.y + y)
  const readout = page.locator('dl[aria-label="Under the cursor"]')
  await expect.poll(() => readout.innerText()).toMatch(/17, 17[\s\S]*\b96 Jy[\s\S]*150\.000000\s+\+2\.200000/)
  const [right, up] = place(19, 21)
  await page.mouse.move(box.x + right, box.y + up)
  await expect.poll(() => readout.innerText()).toMatch(/20, 22[\s\S]*\b118 Jy/)
  expect(await readout.innerText()).toMatch(/149\.99916\d\s+\+2\.201389/)
})

test('25: what is compressed in tiles is drawn and read as what is not, and what cannot be is told by name', async ({
  page,
  server,
}) => {
  const cut = async (format: string) => {
    const { jobId } = await server.completed({
      service: 'cutout',
      runId: format,
      parameters: {
        COLLECTION: ['sky'],
        SIZE: ['1'],
        FORMAT: [format],
        POSITIONS: [listOf(stars.slice(0, 1))],
      },
    })
    return `/api/cutout/async/${jobId}/results/`
  }
  const look = async (src: string) => {
    await page.goto(`viewer?${new URLSearchParams({ src, stretch: 'asinh', map: 'cubehelix' }).toString()}`)
    const image = page.getByRole('application', { name: /^alpha/ })
    await image.waitFor()
    const canvas = image.locator('canvas')
    const box = await canvas.boundingBox()
    if (box === null) throw new Error('the canvas is not seen')
    const middle = [box.width / 2, box.height / 2] as const
    await page.mouse.move(box.x + middle[0] + 20, box.y + middle[1])
    const readout = page.locator('dl[aria-label="Under the cursor"]')
    await expect.poll(() => readout.innerText()).toMatch(/Jy/)
    const points = Array.from({ length: 81 }, (_, at) => {
      const step = (of: number) => (of - 4) * 24
      return [middle[0] + step(at % 9), middle[1] + step(Math.floor(at / 9))] as const
    })
    // Of nothing it is transparent: the star in the middle is there when it has been drawn.
    await expect.poll(async () => (await coloursAt(canvas, [middle]))[0]?.join()).toMatch(/^[1-9]/)
    return { colours: await coloursAt(canvas, points), value: await readout.innerText() }
  }
  const fits = await look(`${await cut('fits')}alpha_90GHz_obs1.fits`)
  const packed = await look(`${await cut('fits.fz')}alpha_90GHz_obs1.fits.fz`)
  expect(packed).toEqual(fits)
  expect(new Set(fits.colours.map((colour) => colour.join())).size).toBeGreaterThan(10)

  // Others that astropy has made: the limits of each part are there again when it is come back to.
  await page.goto('viewer')
  await chooser(page).setInputFiles('src/shared/astro/testdata/tiles.fits.gz')
  const part = page.getByLabel('Part of the file')
  const limit = (name: string) => page.getByLabel(name, { exact: true })
  const drawn = (name: string) => page.getByRole('application', { name: new RegExp(`, ${name}, `) }).waitFor()
  await drawn('RICE_1, 8 BITS')
  await limit('From').fill('10')
  await limit('to').fill('90')
  await limit('to').press('Enter')
  await page.waitForURL(/cuts=10(,|%2C)90/)
  await part.selectOption('15')
  await drawn('REALS, DITHER 1')
  await expect.poll(() => limit('to').inputValue()).not.toBe('90')
  await page.getByLabel('Limits', { exact: true }).selectOption('zscale')
  await page.waitForURL(/cuts=zscale/)
  await part.selectOption('1')
  await drawn('RICE_1, 8 BITS')
  await expect.poll(() => limit('to').inputValue()).toBe('90')
  await expect.poll(() => limit('From').inputValue()).toBe('10')
  await part.selectOption('15')
  await expect.poll(() => page.getByLabel('Limits', { exact: true }).inputValue()).toBe('zscale')
  await part.selectOption('25')
  await page.getByText('It is compressed by HCOMPRESS_1, which is not read here').waitFor()
})

test('27: a position’s colour picture is beside its cutouts, and pictures that were asked for are shown as they are', async ({
  page,
  server,
}) => {
  const seen = (image: Locator) =>
    expect.poll(() => image.evaluate((one: HTMLImageElement) => one.naturalWidth)).toBeGreaterThan(0)
  const { jobId } = await server.completed({
    service: 'cutout',
    runId: 'in colour',
    parameters: {
      COLLECTION: ['sky'],
      SIZE: ['1'],
      PREVIEW: ['true'],
      RGB: ['150GHz,150GHz,90GHz'],
      LIGHTCURVE: ['true'],
      POSITIONS: [listOf(stars)],
    },
  })
  await page.goto(`jobs/${jobId}`)
  const coloured = page.getByRole('link', { name: 'alpha', exact: true }).locator('img')
  await coloured.scrollIntoViewIfNeeded()
  await seen(coloured)
  // The keys take the focus from row to row of the table.
  const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-rowindex') ?? '')
  await page.keyboard.press('j')
  await expect.poll(focused).toBe('2')
  await page.keyboard.press('j')
  await expect.poll(focused).toBe('3')
  await page.keyboard.press('k')
  await expect.poll(focused).toBe('2')
  // The row is seen, wherever the page was, and those before and after it are those of the table as it is sorted.
  const inView = () =>
    page.evaluate(() => {
      const { top = -1, bottom = Infinity } = document.activeElement?.getBoundingClientRect() ?? {}
      return top >= 0 && bottom <= innerHeight
    })
  await page.evaluate(() => scrollTo(0, 0))
  await page.keyboard.press('j')
  await expect.poll(focused).toBe('3')
  expect(await inView()).toBe(true)
  await page.keyboard.press('k')
  await expect.poll(focused).toBe('2')
  const table = page.getByRole('table', { name: 'Rows of the job' })
  const rows = Number(await table.getAttribute('aria-rowcount'))
  await table.getByRole('button', { name: 'Row' }).click()
  await table.getByRole('button', { name: 'Row' }).click()
  await table.locator('[aria-sort="descending"]').waitFor()
  await page.keyboard.press('k')
  // A position has six cutouts, which stay in their order: before the first of the last six.
  await expect.poll(focused).toBe(String(rows - 5))

  await page.goto(`jobs/${jobId}/objects/1`)
  await seen(page.getByRole('img', { name: 'alpha in three bands' }))
  await page.getByText('As a table').click()
  const times = page
    .getByRole('region', { name: 'Light curve' })
    .getByRole('row')
    .nth(1)
    .getByRole('cell')
    .first()
  expect(await times.innerText()).toMatch(/^\d{5}\.\d{6}$/)

  const { jobId: drawn } = await server.completed({
    service: 'cutout',
    runId: 'pictures only',
    parameters: { COLLECTION: ['sky'], SIZE: ['1'], FORMAT: ['png'], POSITIONS: [listOf(stars)] },
  })
  await page.goto(`jobs/${drawn}`)
  await seen(
    page
      .getByRole('button', { name: /^alpha/ })
      .locator('img')
      .first(),
  )
  await seen(page.getByRole('img', { name: /^alpha in / }))
  // What only drawing takes is not offered.
  await page.getByLabel('Order').waitFor()
  expect(await page.getByLabel('Stretch').count()).toBe(0)
  await page.goto(`jobs/${drawn}/objects/1`)
  const grid = page.getByRole('region', { name: 'Cutouts by band and epoch' })
  await seen(grid.getByRole('button').first().locator('img'))
  await seen(page.getByRole('img', { name: /^alpha, / }))
})

/** A page in a browser that was started in another way. */
async function otherBrowser(server: Server, args: readonly string[]): Promise<{ page: Page; guard: Guard }> {
  const browser = await engine.launch({ executablePath: chromium, args: ['--no-sandbox', ...args] })
  onTestFinished(() => browser.close())
  const context = await browser.newContext({
    baseURL: `${server.address}/app/`,
    viewport: { width: 1000, height: 900 },
  })
  const guard = new Guard(context)
  guard.allow(server.address)
  return { page: await context.newPage(), guard }
}

const far = 30 / 3600
const pair = imageOf({
  side: 129,
  scale: 1 / 3600,
  stars: [
    { name: 'north-east', ra: 150 + far / Math.cos((2.2 * Math.PI) / 180), dec: 2.2 + far, flux: 50_000 },
    { name: 'west', ra: 150 - far / Math.cos((2.2 * Math.PI) / 180), dec: 2.2, flux: 50_000 },
  ],
})

test('26: Aladin shows a local file where it lies on the sky, and asks nobody else', async ({ server }) => {
  const { page, guard } = await otherBrowser(server, [
    '--use-angle=swiftshader',
    '--enable-unsafe-swiftshader',
  ])
  await page.goto('viewer')
  await chooser(page).setInputFiles(file(pair))
  await page.getByRole('button', { name: 'Open in Aladin' }).click()
  const tools = page.getByRole('toolbar', { name: 'Aladin' })
  await tools.waitFor({ timeout: 60_000 })
  const sky = page.locator('canvas').first()
  const light = async () => lightIn(page, await sky.screenshot())
  await expect.poll(async () => Object.values(await light()).every((half) => half !== undefined)).toBe(true)
  const { left = [0, 0], right = [0, 0] } = await light()
  // East is left and north is up: as far to the left as the other to the right, and as far up.
  expect(left[0]).toBeLessThan(-0.05)
  expect(left[0] + right[0]).toBeCloseTo(0, 1.7)
  expect(left[1] - left[0]).toBeCloseTo(0, 1.7)
  expect(right[1]).toBeCloseTo(0, 1.7)
  // Aladin's own parts are not ours to mend; what is named of it is in our toolbar.
  await expectAccessible(page, 'the viewer with Aladin', { except: ['.aladin-container'] })
  await tools.getByRole('button', { name: 'Nearer' }).click()
  await expect.poll(async () => (await light()).right?.[0] ?? 1).toBeGreaterThan(right[0] * 1.05)
  guard.check()
})

test('26: without WebGL the viewer says so, and its own quick look stays', async ({ server }) => {
  const { page, guard } = await otherBrowser(server, ['--disable-gpu', '--disable-3d-apis'])
  await page.goto('viewer')
  await chooser(page).setInputFiles(file(pair))
  await page.getByRole('button', { name: 'Open in Aladin' }).click()
  await page.getByRole('heading', { name: 'Aladin cannot run in this browser' }).waitFor()
  await view(page).waitFor()
  await expectAccessible(page, 'the viewer without WebGL')
  guard.check()
})
