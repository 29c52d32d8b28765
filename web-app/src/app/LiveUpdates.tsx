import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { applyEvents } from '@/shared/api/apply'
import { followEvents, type ServerEvent } from '@/shared/api/events'
import { session } from '@/shared/api/session'
import { useStore } from '@/shared/lib/store'

/** The page is not changed more often than this by what the server tells. */
const PACE = 300

/** Brings the server's events into the page, in batches, while somebody is signed in. */
export function LiveUpdates() {
  const client = useQueryClient()
  const signedIn = useStore(session) === 'in'
  useEffect(() => {
    if (!signedIn) return
    let waiting: ServerEvent[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const stop = followEvents((event) => {
      waiting.push(event)
      timer ??= setTimeout(() => {
        timer = undefined
        const batch = waiting
        waiting = []
        applyEvents(client, batch)
      }, PACE)
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [client, signedIn])
  return null
}
