import { parseList, toCsv, type Fixes, type List } from './positions'

/** Reads lists away from the page, so that typing never waits. */

export type ListRequest = { id: number; text: string; fixes: Fixes }
export type ListAnswer = { id: number; list: List; csv: string }

addEventListener('message', ({ data: { id, text, fixes } }: MessageEvent<ListRequest>) => {
  const list = parseList(text, fixes)
  postMessage({ id, list, csv: toCsv(list.rows) } satisfies ListAnswer)
})
