import { useEffect, useRef, useState } from 'react'
import type { Fixes, List } from '@/shared/astro/positions'
import type { ListAnswer, ListRequest } from '@/shared/astro/list-worker'

/** While typing goes on, a list is read after a pause of so many ms; what is pasted or dropped is read at once. */
const PAUSE = 150

const nothing: List = { form: 'text', rows: [], unused: [], problems: 0, warnings: 0, offers: [] }

export type ReadList = { list: List; csv: string; of: string }

/** A list, read beside the page; the last one until the next is there. */
export function useList(text: string, fixes: Fixes): { read: ReadList | undefined; reading: boolean } {
  const worker = useRef<Worker>(undefined)
  const number = useRef(0)
  const changed = useRef(-PAUSE)
  const [read, setRead] = useState<ReadList & { fixes: Fixes }>()

  useEffect(() => {
    const made = new Worker(new URL('@/shared/astro/list-worker.ts', import.meta.url), { type: 'module' })
    worker.current = made
    return () => made.terminate()
  }, [])
  useEffect(() => {
    const id = ++number.current
    const onAnswer = ({ data }: MessageEvent<ListAnswer>) => {
      if (data.id === id) setRead({ list: data.list, csv: data.csv, of: text, fixes })
    }
    // Whatever is wrong with a list or with the worker: the form does not wait for good.
    const onFailure = () => {
      const fault = 'This list cannot be read here.'
      setRead({ list: { ...nothing, fault }, csv: '', of: text, fixes })
    }
    const target = worker.current
    target?.addEventListener('message', onAnswer)
    target?.addEventListener('error', onFailure)
    const now = performance.now()
    const pause = now - changed.current < PAUSE ? PAUSE : 0
    changed.current = now
    const timer = setTimeout(() => target?.postMessage({ id, text, fixes } satisfies ListRequest), pause)
    return () => {
      clearTimeout(timer)
      target?.removeEventListener('message', onAnswer)
      target?.removeEventListener('error', onFailure)
    }
  }, [text, fixes])
  return { read, reading: read?.of !== text || read.fixes !== fixes }
}
