import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium as engine, type Browser, type Page } from 'playwright-core'
import { readTo } from '../harness/long-list.ts'
import { inBatches } from '../harness/many.ts'
import { chromium, environment, program } from '../harness/program.ts'
import { makeJobs, places } from '../harness/places.ts'
import { run } from '../harness/process.ts'
import { Server } from '../harness/server.ts'
import { writeImages } from '../harness/sky.ts'

const rounds = Number(process.env['ROUNDS'] ?? 3)
const many = 10_000

type Painted = { lcp: number; shift: number }

/** Measures the pages over a server of its own, and prints a table; nothing is asserted. */
export async function measure(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sidereal-bench-'))
  const browser = await engine.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] })
  try {
    await writeImages(join(folder, 'images'))
    await run(program, ['ingest', 'sky', join(folder, 'images')], { cwd: folder, env: environment(folder) })
    const server = await Server.start({}, join(folder, 'data'))
    try {
      await inBatches(many, 16, (index) => server.job({ service: 'echo', run: false, runId: `job ${index}` }))
      const jobs = await makeJobs(server)
      console.log(
        `| page, ${rounds} rounds | LCP, ms | aim | LCP, 1.6 Mbit/s, 150 ms, processor / 4 | aim | CLS | aim |`,
      )
      console.log('|---|---|---|---|---|---|---|')
      for (const name of ['home', 'new job, empty', 'jobs', 'job', 'profile']) {
        const place = places.find((one) => one.name === name)
        if (place === undefined) throw new Error(`there is no page ${name}`)
        const open = (page: Page) => page.goto(place.path(jobs)).then(() => place.whole(page))
        const quick = await repeated(() => painted(browser, server, open, false))
        const slow = await repeated(() => painted(browser, server, open, true))
        const shift = Math.max(...quick.map((one) => one.shift))
        console.log(
          `| ${name} | ${spread(quick.map((one) => one.lcp))} | 800 | ${spread(slow.map((one) => one.lcp))} | 2,500 | ${shift.toFixed(3)} | 0.05 |`,
        )
      }
      console.log('\n| | median (least–greatest) | aim |\n|---|---|---|')
      const frames = await repeated(() => scrolled(browser, server))
      console.log(
        `| ${many} jobs, a frame while scrolling, p50, ms | ${spread(frames.map(([half]) => half))} | 20 |`,
      )
      console.log(`| the same, p95, ms | ${spread(frames.map(([, most]) => most))} | 50 |`)
      const lists = await repeated(() => listRead(browser, server))
      console.log(`| a list of ${many} lines, from the file to its rows, ms | ${spread(lists)} | 300 |`)
    } finally {
      await server.remove()
    }
  } finally {
    await browser.close()
    await rm(folder, { recursive: true, force: true })
  }
}

async function repeated<T>(act: () => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let round = 0; round < rounds; round += 1) all.push(await act())
  return all
}

const whole = (value: number) => Math.round(value).toLocaleString('en-GB')

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number) => whole(sorted[index] ?? NaN)
  return `${at(Math.floor(sorted.length / 2))} (${at(0)}–${at(sorted.length - 1)})`
}

async function withPage<T>(browser: Browser, server: Server, act: (page: Page) => Promise<T>): Promise<T> {
  const context = await browser.newContext({
    baseURL: `${server.address}/app/`,
    viewport: { width: 1280, height: 900 },
  })
  try {
    return await act(await context.newPage())
  } finally {
    await context.close()
  }
}

/** The largest paint, and how much moved, of a page that is opened by a browser without a cache. */
function painted(
  browser: Browser,
  server: Server,
  open: (page: Page) => Promise<unknown>,
  slow: boolean,
): Promise<Painted> {
  return withPage(browser, server, async (page) => {
    if (slow) {
      const session = await page.context().newCDPSession(page)
      const speed = (1.6 * 1_000_000) / 8
      await session.send('Network.emulateNetworkConditions', {
        offline: false,
        latency: 150,
        downloadThroughput: speed,
        uploadThroughput: speed,
      })
      await session.send('Emulation.setCPUThrottlingRate', { rate: 4 })
    }
    await page.addInitScript(() => {
      const seen = { lcp: 0, shift: 0 }
      Object.assign(window, { seen })
      new PerformanceObserver((list) => {
        seen.lcp = list.getEntries().at(-1)?.startTime ?? seen.lcp
      }).observe({ type: 'largest-contentful-paint', buffered: true })
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if ('value' in entry) seen.shift += Number(entry.value)
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await open(page)
    // What was painted is told after the next frames.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100))))
    return page.evaluate(() => (window as unknown as { seen: Painted }).seen)
  })
}

/** Times between frames while the list of jobs is scrolled: the half, and 95 of 100, are below these. */
function scrolled(browser: Browser, server: Server): Promise<[number, number]> {
  return withPage(browser, server, async (page) => {
    await page.goto('jobs')
    await page.getByText(/\d jobs so far/).waitFor()
    await readTo(page, 500)
    return page.evaluate(
      () =>
        new Promise<[number, number]>((resolve) => {
          const times: number[] = []
          let last = performance.now()
          window.scrollTo(0, 0)
          const step = (now: number) => {
            times.push(now - last)
            last = now
            window.scrollBy(0, 60)
            if (times.length < 240) requestAnimationFrame(step)
            else {
              const sorted = times.slice(1).sort((a, b) => a - b)
              resolve([
                sorted[Math.floor(sorted.length / 2)] ?? 0,
                sorted[Math.floor(sorted.length * 0.95)] ?? 0,
              ])
            }
          }
          requestAnimationFrame(step)
        }),
    )
  })
}

/** From the choice of a file until the form says how many positions it has. */
function listRead(browser: Browser, server: Server): Promise<number> {
  const lines = Array.from(
    { length: many },
    (_, index) => `${(index * 0.036).toFixed(4)},${(index % 80) - 40},n${index}`,
  )
  return withPage(browser, server, async (page) => {
    await page.goto('cutout')
    await page.getByRole('textbox', { name: 'POSITIONS' }).waitFor()
    const took = page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          let start = 0
          document.addEventListener('change', () => (start = performance.now()), {
            capture: true,
            once: true,
          })
          new MutationObserver(() => {
            if (document.body.innerText.includes('10,000 positions')) resolve(performance.now() - start)
          }).observe(document.body, { subtree: true, childList: true, characterData: true })
        }),
    )
    const buffer = Buffer.from(`RA,DEC,OBJID\n${lines.join('\n')}\n`)
    await page
      .getByLabel('A file with a list')
      .setInputFiles({ name: 'long.csv', mimeType: 'text/csv', buffer })
    return took
  })
}
