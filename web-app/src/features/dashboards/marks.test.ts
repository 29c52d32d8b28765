import { expect, test } from 'vitest'
import { marksOf } from './marks'

test('editions are marked by when they were rebuilt, oldest first, without those that never were', () => {
  const edition = (slug: string, date_rebuilt: string | null) => ({
    slug,
    pre_release: false,
    url: undefined,
    date_rebuilt,
    refs: [],
    rebuilding: false,
    built: date_rebuilt !== null,
  })
  const marks = marksOf([
    { kind: 'main', title: 'Current', editions: [edition('main', '2026-11-20T12:00:00Z')] },
    { kind: 'release', title: 'Releases', editions: [edition('v1', '2026-11-18T12:00:00Z')] },
    {
      kind: 'ticket',
      title: 'Tickets',
      editions: [edition('DM-1', '2026-11-19T12:00:00Z'), edition('DM-2', null)],
    },
  ])
  expect(marks.map(({ slug, isDraft }) => [slug, isDraft])).toEqual([
    ['v1', false],
    ['DM-1', true],
    ['main', false],
  ])
})
