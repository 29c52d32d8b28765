import { expect, test } from 'vitest'
import type { Build, Edition } from './documents'
import { findBuilds, findEditions, findProducts, matches, unchecked } from './words'

const edition = (slug: string, more: Partial<Edition> = {}): Edition => ({
  slug,
  pre_release: false,
  url: undefined,
  refs: [{ name: slug, source: undefined }],
  rebuilding: false,
  built: true,
  ...more,
})

const build = (slug: string, editions: string[]): Build => ({
  slug,
  url: undefined,
  refs: [{ name: `tickets/DM-${slug}`, source: undefined }],
  uploaded: true,
  editions,
})

test('all words must be there, in any case and order', () => {
  expect(matches('note made', ['SQR-900: Made-up note', null])).toBe(true)
  expect(matches('  ', ['x'])).toBe(true)
  expect(matches('note other', ['SQR-900: Made-up note', undefined])).toBe(false)
})

test('products are found by title, name and Keeper', () => {
  const product = (keeper: string, slug: string, title: string) => ({
    keeper,
    product: slug,
    title,
    path: slug,
    editions: 1,
    builds: 1,
    missing: false,
    held: false,
    purgeOwed: false,
  })
  const all = [product('one', 'sqr-900', 'Made-up note'), product('two', 'pipes', 'Pipes')]
  const found = (words: string) => findProducts(all, words).map(({ product: slug }) => slug)
  expect(found('')).toEqual(['sqr-900', 'pipes'])
  expect(found('MADE')).toEqual(['sqr-900'])
  expect(found('two')).toEqual(['pipes'])
  expect(found('900 two')).toEqual([])
})

test('editions keep their groups and order, and groups without any go', () => {
  const groups = [
    { kind: 'main', title: 'Current', editions: [edition('main', { title: 'Latest' })] },
    { kind: 'release', title: 'Releases', editions: [edition('v1.10', { build: '6' }), edition('v1.9')] },
    { kind: 'ticket', title: 'Tickets', editions: [edition('x', { ticket: 'DM-1', author: 'octo' })] },
  ]
  const found = (words: string) =>
    findEditions(groups, words).map(({ kind, editions }) => [kind, ...editions.map(({ slug }) => slug)])
  expect(found(' ')).toEqual([
    ['main', 'main'],
    ['release', 'v1.10', 'v1.9'],
    ['ticket', 'x'],
  ])
  expect(found('v1')).toEqual([['release', 'v1.10', 'v1.9']])
  expect(found('latest')).toEqual([['main', 'main']])
  expect(found('dm-1 OCTO')).toEqual([['ticket', 'x']])
})

test('builds are found by what was built and by the editions that show them', () => {
  const builds = [build('2', ['main']), build('1', [])]
  expect(findBuilds(builds, '')).toBe(builds)
  expect(findBuilds(builds, 'main').map(({ slug }) => slug)).toEqual(['2'])
  expect(findBuilds(builds, 'dm-1').map(({ slug }) => slug)).toEqual(['1'])
})

test('a dashboard is said to be unchecked after a day', () => {
  const now = Date.parse('2026-11-21T12:00:00Z')
  expect(unchecked('2026-11-21T11:00:00Z', now)).toBeUndefined()
  expect(unchecked('2026-11-20T12:00:01Z', now)).toBeUndefined()
  expect(unchecked('2026-11-20T12:00:00Z', now)).toBe('not checked for 1 day')
  expect(unchecked('2026-11-01T12:00:00Z', now)).toBe('not checked for 20 days')
  expect(unchecked(null, now)).toBe('never checked')
})
