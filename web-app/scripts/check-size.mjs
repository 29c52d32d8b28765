// Holds the bundle to its budget: gzipped KiB of what a page loads first, read from the manifest of the build.
import { readdirSync, readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const budget = { jobsJs: 190, routeJs: 90, css: 25, aladin: 860 }

const kib = (files) =>
  [...files].reduce(
    (sum, file) => sum + gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length,
    0,
  ) / 1024

/** The files that a chunk brings with it, itself included, lazy ones left out. */
function closure(key, seen = new Set()) {
  if (seen.has(key)) return seen
  seen.add(key)
  for (const next of manifest[key].imports ?? []) closure(next, seen)
  return seen
}
const js = (keys) =>
  new Set([...keys].map((key) => manifest[key].file).filter((file) => file.endsWith('.js')))
const css = (keys) => new Set([...keys].flatMap((key) => manifest[key].css ?? []))

const entry = closure('index.html')
const lazy = Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry)
const faults = []
const hold = (what, size, limit) => {
  const over = size > limit
  console.log(`${over ? 'OVER ' : 'ok   '}${size.toFixed(1).padStart(7)} of ${limit} KiB  ${what}`)
  if (over) faults.push(what)
}

hold('JS of every page', kib(js(entry)), budget.jobsJs)
for (const key of lazy) {
  const all = new Set([...entry, ...closure(key)])
  const own = new Set([...all].filter((part) => !entry.has(part)))
  const name = key.replace(/^.*\//, '')
  hold(`JS that ${name} adds`, kib(js(own)), budget.routeJs)
  hold(`CSS of ${name} with the shell's`, kib(css(all)), budget.css)
  if (name.startsWith('JobsPage')) hold('JS of the jobs page at first', kib(js(all)), budget.jobsJs)
}
const aladin = readdirSync(new URL('assets/', dist)).find((file) => /^aladin-.*\.js$/.test(file))
if (aladin === undefined) faults.push('no Aladin beside the bundle')
else {
  hold('Aladin, when it is opened', kib([`assets/${aladin}`]), budget.aladin)
  const own = readFileSync(new URL('../node_modules/aladin-lite/dist/aladin.js', import.meta.url))
  if (!readFileSync(new URL(`assets/${aladin}`, dist)).equals(own))
    faults.push('Aladin is not as it was published')
}
if (!lazy.some((key) => key.includes('JobsPage'))) faults.push('no jobs page in the manifest')
if (faults.length > 0) {
  console.error(`over budget: ${faults.join(', ')}`)
  process.exit(1)
}
