/** What pages and the worker of images say to each other. A file stays in the worker, under a key. */
import type { Card } from '@/shared/astro/header'
import type { Limits } from '@/shared/astro/stretch'
import type { FullLook } from './look'

export type HduInfo = {
  index: number
  name: string
  axes: readonly number[]
  bitpix: number
  cards: readonly Card[]
  /** Why it cannot be drawn. */
  refusal?: string
}
export type FileInfo = { hdus: HduInfo[]; fault?: string }

/** An image that is drawn: of which file and HDU. */
export type Target = { key: string; hdu: number; plane: number }

export type Calls = {
  open: { ask: { key: string; data: Blob }; answer: FileInfo }
  close: { ask: { key: string }; answer: null }
  /** The limits that rules mean. */
  limits: { ask: Target & { cuts: string }; answer: Limits }
  draw: {
    ask: Target & { look: FullLook; limits: Limits | undefined }
    answer: { bitmap: ImageBitmap; limits: Limits }
  }
  /** The value of a pixel, columns and rows from 0; null if there is none. */
  value: { ask: Target & { x: number; y: number }; answer: number | null }
}

export type Kind = keyof Calls
export type Ask = { [K in Kind]: { id: number; kind: K; ask: Calls[K]['ask'] } }[Kind]
export type Answer = { id: number; answer: Calls[Kind]['answer'] } | { id: number; failure: string }
