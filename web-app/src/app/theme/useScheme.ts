import { useEffect, useSyncExternalStore } from 'react'
import { theme } from '@/shared/lib/preferences'
import { useStore } from '@/shared/lib/store'

const system = window.matchMedia('(prefers-color-scheme: dark)')

const follow = (listener: () => void) => {
  system.addEventListener('change', listener)
  return () => system.removeEventListener('change', listener)
}

/** The scheme that the chosen theme means. */
export function useScheme(): 'light' | 'dark' {
  const chosen = useStore(theme)
  const systemIsDark = useSyncExternalStore(follow, () => system.matches)
  useEffect(() => {
    document.documentElement.dataset['theme'] = chosen
  }, [chosen])
  if (chosen === 'system') return systemIsDark ? 'dark' : 'light'
  return chosen === 'light' ? 'light' : 'dark'
}
