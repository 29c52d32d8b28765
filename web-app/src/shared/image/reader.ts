import { FitsError } from '@/shared/astro/header'
import type { Answer, Calls, Kind } from './protocol'

/** Asks the worker of images. */
class ImageReader {
  private readonly worker = new Worker(new URL('./image-worker.ts', import.meta.url), { type: 'module' })
  private readonly waiting = new Map<number, { take: (answer: Answer) => void }>()
  private last = 0

  constructor() {
    this.worker.addEventListener('message', ({ data }: MessageEvent<Answer>) => {
      this.waiting.get(data.id)?.take(data)
      this.waiting.delete(data.id)
    })
    this.worker.addEventListener('error', () => {
      for (const [id, { take }] of this.waiting) take({ id, failure: 'The reader of images has failed.' })
      this.waiting.clear()
      reader = undefined
    })
  }

  ask<K extends Kind>(kind: K, ask: Calls[K]['ask']): Promise<Calls[K]['answer']> {
    const id = ++this.last
    return new Promise((resolve, reject) => {
      this.waiting.set(id, {
        take: (answer) => {
          if ('failure' in answer) reject(new FitsError(answer.failure))
          else resolve(answer.answer)
        },
      })
      this.worker.postMessage({ id, kind, ask } satisfies { id: number; kind: Kind; ask: Calls[Kind]['ask'] })
    })
  }
}

let reader: ImageReader | undefined

/** The worker of all images, made when the first is looked at, and made anew should it fail. */
export const imageReader = (): ImageReader => (reader ??= new ImageReader())
