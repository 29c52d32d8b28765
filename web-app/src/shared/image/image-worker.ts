import { FitsError } from '@/shared/astro/header'
import { Files } from './opened'
import type { Answer, Ask } from './protocol'

/** Reads and draws images away from the page. */

const files = new Files()

async function answerTo({ kind, ask }: Ask) {
  switch (kind) {
    case 'open':
      return files.open(ask.key, ask.data)
    case 'close':
      files.close(ask.key)
      return null
    case 'limits':
      return files.limits(ask, ask.cuts)
    case 'draw': {
      const { pixels, width, height, limits } = await files.draw(ask, ask.look, ask.limits)
      return { bitmap: await createImageBitmap(new ImageData(pixels, width, height)), limits }
    }
    case 'value':
      return files.value(ask, ask.x, ask.y)
  }
}

addEventListener('message', ({ data }: MessageEvent<Ask>) => {
  answerTo(data).then(
    (answer) => {
      const moved = answer !== null && typeof answer === 'object' && 'bitmap' in answer ? [answer.bitmap] : []
      postMessage({ id: data.id, answer } satisfies Answer, { transfer: moved })
    },
    (error: unknown) => {
      const failure =
        error instanceof FitsError
          ? error.message
          : error instanceof RangeError
            ? 'There is too little memory to look at it.'
            : 'It cannot be read.'
      postMessage({ id: data.id, failure } satisfies Answer)
    },
  )
})
