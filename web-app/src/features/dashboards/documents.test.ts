import { describe, expect, test } from 'vitest'
import { profileUrl, readBuilds, readEditions, shownUrl, webUrl } from './documents'

const product = {
  slug: 'pipes',
  title: 'Pipes <script>alert(1)</script>',
  handle: null,
  series: null,
  published_url: 'https://pipes.docs.example/',
  doc_repo: 'javascript:alert(1)',
}

const edition = {
  slug: 'v1.0',
  title: null,
  kind: 'release',
  pre_release: false,
  url: 'https://pipes.docs.example/v/v1.0',
  date_rebuilt: '2026-11-20T12:44:09.250403Z',
  refs: [
    { name: 'v1.0', source: 'https://github.com/example-org/pipes/tree/v1.0' },
    { name: '<img src=x onerror=alert(1)>', source: 'data:text/html,x' },
  ],
  mode: 'git_refs',
  rebuilding: false,
  built: true,
  build: '6',
  author: 'octo',
  ticket: null,
}

const editions = (change: object = {}) => ({
  schema_version: 1,
  product,
  groups: [{ kind: 'release', title: 'Releases', editions: [{ ...edition, ...change }] }],
  warnings: ['There is no main edition.'],
  source_sha256: 'ab',
})

test('only http and https are followed', () => {
  expect(webUrl('https://a.example/b c')).toBe('https://a.example/b%20c')
  expect(webUrl('http://a.example')).toBe('http://a.example/')
  for (const bad of [
    'javascript:alert(1)',
    ' JavaScript:alert(1)',
    'java\nscript:alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    '//a.example',
    '/v/',
    '',
    null,
    undefined,
  ])
    expect(webUrl(bad)).toBeUndefined()
})

describe('the editions', () => {
  test('are read, without the URLs that are not to be followed, and hostile names are text', () => {
    const read = readEditions(editions())
    expect(read.product.doc_repo).toBeUndefined()
    expect(read.product.published_url).toBe('https://pipes.docs.example/')
    expect(read.product.title).toBe(product.title)
    const [first] = read.groups[0]?.editions ?? []
    expect(first?.refs).toEqual([
      { name: 'v1.0', source: 'https://github.com/example-org/pipes/tree/v1.0' },
      { name: '<img src=x onerror=alert(1)>', source: undefined },
    ])
    expect(first?.build).toBe('6')
  })

  test('of a kind that is not known have their title all the same', () => {
    const read = readEditions({
      ...editions(),
      groups: [{ kind: 'alternate', title: 'Alternates', editions: [edition] }],
    })
    expect(read.groups.map(({ title }) => title)).toEqual(['Alternates'])
  })

  test.each([
    ['another shape', { ...editions(), schema_version: 2 }],
    ['no groups', { ...editions(), groups: undefined }],
    ['a time that is none', editions({ date_rebuilt: 'yesterday' })],
    ['a slug that is no text', editions({ slug: 1 })],
    ['an error of somebody between', 'Bad gateway'],
  ])('that have %s are refused', (_what, value) => {
    expect(() => readEditions(value)).toThrow()
  })
})

test('builds are read', () => {
  const build = {
    slug: '6',
    url: null,
    date_created: '2026-11-20T12:44:09Z',
    refs: [],
    author: null,
    uploaded: false,
    ticket: 'DM-1',
    editions: ['main', 'v1.0'],
  }
  const read = readBuilds({ schema_version: 1, product, builds: [build], source_sha256: 'ab' })
  expect(read.builds).toEqual([{ ...build, url: undefined }])
  expect(() => readBuilds({ schema_version: 1, product, builds: [{ ...build, editions: 'main' }] })).toThrow()
})

test('only what can be a name on GitHub leads there', () => {
  expect(profileUrl('octo-cat')).toBe('https://github.com/octo-cat')
  for (const bad of ['', 'a/b', '../x', 'a b', '<b>', 'x'.repeat(40)]) expect(profileUrl(bad)).toBeUndefined()
})

test('URLs are shown without their scheme', () => {
  expect(shownUrl('https://pipes.docs.example/')).toBe('pipes.docs.example')
  expect(shownUrl('http://a.example/b/c')).toBe('a.example/b/c')
})
