import type { Schema } from '@/shared/api/client'

export type LimitName = keyof Schema['Limits']

export const limitNames: Record<LimitName, string> = {
  running: 'Jobs that run at once',
  queued: 'Jobs in the queue',
  pending: 'Jobs not yet run',
  positions: 'Positions of a cutout job',
  storedBytes: 'Stored results (bytes, or with KiB, MiB, GiB, TiB)',
  requestsPerSecond: 'Requests a second',
}

const units: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 }

/** A limit as typed: null for none of its own; a text says why it is none. */
export function parseLimit(text: string): number | null | string {
  if (text.trim() === '') return null
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text)
  if (match === null) return 'A number, 0 or more'
  const value = Number(match[1]) * (units[(match[2] ?? '').toLowerCase()] ?? 1)
  return Number.isSafeInteger(value) ? value : 'A whole number'
}
