import { createStore, type Store } from './store'

/** A setting of this browser, kept in its storage and followed in all its tabs. */
function preference<T extends string>(name: string, values: readonly [T, ...T[]]): Store<T> {
  const key = `sidereal.${name}`
  const read = (): T => {
    try {
      const kept = localStorage.getItem(key)
      return values.find((value) => value === kept) ?? values[0]
    } catch {
      return values[0]
    }
  }
  const store = createStore<T>(read())
  window.addEventListener('storage', (event) => {
    if (event.key === key) store.set(read())
  })
  return {
    ...store,
    set: (value) => {
      store.set(value)
      try {
        localStorage.setItem(key, value)
      } catch {
        // Storage may be off or full; the setting then lasts as long as the page.
      }
    },
  }
}

export const themes = ['system', 'light', 'dark', 'night'] as const
export type Theme = (typeof themes)[number]

export const theme = preference('theme', themes)
export const timeZone = preference('time-zone', ['utc', 'local'])
export const shortcutKeys = preference('shortcuts', ['on', 'off'])
