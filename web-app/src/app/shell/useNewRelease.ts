import { useEffect } from 'react'
import { ask } from '@/shared/api/client'
import { createStore, useStore } from '@/shared/lib/store'

const found = createStore(false)
const EVERY = 5 * 60_000

// A part of this page that did not come: a server that answers has another version.
window.addEventListener('vite:preloadError', () => void look(true))

async function look(missing = false) {
  try {
    const response = await ask('/app/release.json', { cache: 'no-store' })
    const release = (await response.json()) as { entry?: string }
    const own = [...document.querySelectorAll<HTMLScriptElement>('script[type="module"]')].map(
      ({ src }) => src,
    )
    if (missing || (release.entry !== undefined && !own.some((src) => src.endsWith(`/${release.entry}`))))
      found.set(true)
  } catch {
    // No answer says nothing about a version.
  }
}

/** Whether the server has another version of the app than the one that runs. */
export function useNewRelease(): boolean {
  useEffect(() => {
    if (import.meta.env.DEV) return
    const onShow = () => {
      if (document.visibilityState === 'visible') void look()
    }
    const timer = setInterval(onShow, EVERY)
    document.addEventListener('visibilitychange', onShow)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', onShow)
    }
  }, [])
  return useStore(found)
}
