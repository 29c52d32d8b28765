import type { Job } from '@/shared/api/jobs'
import type { Manifest, ManifestRow } from '@/shared/api/results'

export type Both<T> = { a: T; b: T }
/** `same` is not known while a text that is told by its address has not been read. */
export type ParameterLine = Both<string | undefined> & { name: string; same: boolean | undefined }

/** The parameters of both by name, those that differ first. `texts` are of those that are told by their address. */
export function parameterLines(jobs: Both<Job>, texts: Both<ReadonlyMap<string, string>>): ParameterLine[] {
  const values = (side: 'a' | 'b') => {
    const of = new Map<string, { texts: string[]; isRead: boolean }>()
    for (const { id, value, byReference } of jobs[side].parameters) {
      const text = byReference ? texts[side].get(id) : value
      const before = of.get(id) ?? { texts: [], isRead: true }
      of.set(id, {
        texts: [...before.texts, text ?? value],
        isRead: before.isRead && text !== undefined,
      })
    }
    return of
  }
  const [a, b] = [values('a'), values('b')]
  return [...new Set([...a.keys(), ...b.keys()])]
    .sort()
    .map((name) => {
      const [one, other] = [a.get(name), b.get(name)]
      const isKnown = one === undefined || other === undefined || (one.isRead && other.isRead)
      return {
        name,
        a: one?.texts.join(', '),
        b: other?.texts.join(', '),
        same: isKnown ? JSON.stringify(one?.texts) === JSON.stringify(other?.texts) : undefined,
      }
    })
    .sort((one, other) => rank(one) - rank(other))
}

const rank = ({ same }: ParameterLine) => (same === false ? 0 : same === undefined ? 1 : 2)

export type ObjectLine = {
  key: string
  id: string
  where: string
  a: ManifestRow | undefined
  b: ManifestRow | undefined
  /** How it differs: in what is there, in why it is not, or not at all. */
  change: 'only a' | 'only b' | 'mended' | 'broken' | 'reason' | 'content' | 'same'
}

/** A cutout is the same in both if it is of the same position on the same image. */
const keyOf = ({ ra, dec, id, collection, image, type }: ManifestRow) =>
  JSON.stringify([ra?.toFixed(6) ?? id, dec?.toFixed(6), collection, image, type])

/** The cutouts of both, those that differ first, else in the order of their lists. */
export function objectLines(manifests: Both<Manifest>): ObjectLine[] {
  const lines = new Map<string, ObjectLine>()
  for (const side of ['a', 'b'] as const) {
    const seen = new Map<string, number>()
    for (const row of manifests[side].rows) {
      // The same asked for twice is two lines.
      const number = (seen.get(keyOf(row)) ?? 0) + 1
      seen.set(keyOf(row), number)
      const key = `${keyOf(row)} ${number}`
      const where = [row.band, row.obs, row.image].filter((part) => part !== null).join(' · ')
      const line = lines.get(key) ?? { key, id: row.id, where, a: undefined, b: undefined, change: 'same' }
      lines.set(key, { ...line, [side]: row })
    }
  }
  return [...lines.values()]
    .map((line) => ({ ...line, change: changeOf(line) }))
    .sort((one, other) => Number(one.change === 'same') - Number(other.change === 'same'))
}

function changeOf({ a, b }: Pick<ObjectLine, 'a' | 'b'>): ObjectLine['change'] {
  if (a === undefined) return 'only b'
  if (b === undefined) return 'only a'
  if (a.status !== b.status) return b.status === 'ok' ? 'mended' : 'broken'
  if (a.status === 'failed') return a.reason === b.reason ? 'same' : 'reason'
  return a.sha256 !== null && a.sha256 === b.sha256 ? 'same' : 'content'
}
