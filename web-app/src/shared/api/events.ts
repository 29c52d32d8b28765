import { basePath } from '@/shared/config'
import { createStore } from '@/shared/lib/store'
import type { JobSummary } from './jobs'

/** An event of the server: a job as it now is, the end of one, or that some were lost. */
export type ServerEvent =
  { kind: 'job' | 'progress'; job: JobSummary } | { kind: 'destroyed'; id: string } | { kind: 'resync' }

export type Live = 'connecting' | 'open' | 'lost'

/** How the browser's stream of events is. */
export const live = createStore<Live>('connecting')

type Message = { event: ServerEvent } | { live: Live } | { ask: true }

const NAME = 'sidereal-events'

/** What an event of the stream says; undefined if it is none that is known. */
export function parseEvent(kind: string, data: string): ServerEvent | undefined {
  if (kind === 'resync') return { kind }
  if (kind !== 'job' && kind !== 'progress') return undefined
  let job: unknown
  try {
    job = JSON.parse(data)
  } catch {
    return undefined
  }
  if (typeof job !== 'object' || job === null || !('id' in job) || typeof job.id !== 'string')
    return undefined
  return 'destroyed' in job ? { kind: 'destroyed', id: job.id } : { kind, job: job as JobSummary }
}

/**
 * Follows the server's events, over one stream for all tabs of the browser: connections to a host are few. The
 * tab that holds the lock has the stream and tells the others; when it is closed, the next one has the lock.
 */
export function followEvents(listener: (event: ServerEvent) => void): () => void {
  const channel = new BroadcastChannel(NAME)
  const end = new AbortController()
  let leads = false

  const tell = (message: Message) => {
    channel.postMessage(message)
  }
  channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if ('event' in data) listener(data.event)
    else if ('live' in data) live.set(data.live)
    else if (leads) tell({ live: live.get() })
  })
  tell({ ask: true })

  const lead = () =>
    new Promise<void>((resolve) => {
      leads = true
      const close = openStream(
        (event) => {
          tell({ event })
          listener(event)
        },
        (state) => {
          live.set(state)
          tell({ live: state })
        },
      )
      end.signal.addEventListener('abort', () => {
        close()
        resolve()
      })
    })
  // A page without a secure context has no locks: it has a stream of its own.
  const locks = (navigator as Partial<Navigator>).locks
  if (locks === undefined) void lead()
  else locks.request(NAME, { signal: end.signal }, lead).catch(() => undefined)

  return () => {
    end.abort()
    channel.close()
  }
}

const PAUSE = { least: 2_000, most: 60_000 }

/** One stream, opened again when it ends. After a gap that the browser does not bridge, all is read anew. */
function openStream(listener: (event: ServerEvent) => void, state: (live: Live) => void): () => void {
  let source: EventSource
  let timer: ReturnType<typeof setTimeout> | undefined
  let pause = PAUSE.least

  const open = () => {
    source = new EventSource(`${basePath}/api/v1/events`)
    let first = true
    source.addEventListener('open', () => {
      pause = PAUSE.least
      state('open')
      // What happened before this stream is not in it; opened again by the browser, it goes on where it was.
      if (first) listener({ kind: 'resync' })
      first = false
    })
    for (const kind of ['job', 'progress', 'resync']) {
      source.addEventListener(kind, ({ data }: MessageEvent<string>) => {
        const event = parseEvent(kind, data)
        if (event !== undefined) listener(event)
      })
    }
    source.addEventListener('error', () => {
      // While it connects again by itself it says where it was; refused, it is closed for good.
      if (source.readyState !== EventSource.CLOSED) {
        state('connecting')
        return
      }
      state('lost')
      timer = setTimeout(open, pause)
      pause = Math.min(pause * 2, PAUSE.most)
    })
  }
  open()
  return () => {
    clearTimeout(timer)
    source.close()
  }
}
