import { useEffect, useRef } from 'react'
import { shortcutKeys } from './preferences'

/** Keys such as `j`, `?`, `Escape`, two in a row such as `g j`, or with Ctrl or Cmd: `mod+k`. */
export type Hotkeys = Record<string, (event: KeyboardEvent) => void>

/** Longest time between the two keys of a row. */
const ROW = 1_200

export const isApple = /Mac|iPhone|iPad/.test(navigator.userAgent)

const takesText = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) &&
  !(target instanceof HTMLInputElement && /^(checkbox|radio|button)$/.test(target.type))

const ownKeys: Record<string, string> = {
  Enter: 'a, button, summary, [role="option"]',
  ' ': 'button, summary, input, [role="option"], [role="tab"], [role^="menuitem"]',
  ArrowLeft: '[role="tab"], [role^="menuitem"], [type="radio"]',
  ArrowRight: '[role="tab"], [role^="menuitem"], [type="radio"]',
}

/** Whether what has the focus does something itself by this key. */
export const isOwnKey = (target: EventTarget | null, key: string) =>
  ownKeys[key] !== undefined && target instanceof Element && target.closest(ownKeys[key]) !== null

/** Finds what a key is for, remembering the one before. */
export function matcher() {
  let before = { key: '', at: 0 }
  return (keys: Hotkeys, event: KeyboardEvent): ((event: KeyboardEvent) => void) | undefined => {
    if (event.altKey) return undefined
    if (event.ctrlKey || event.metaKey) return keys[`mod+${event.key.toLowerCase()}`]
    const row = event.timeStamp - before.at < ROW ? keys[`${before.key} ${event.key}`] : undefined
    before = { key: event.key, at: event.timeStamp }
    return row ?? keys[event.key]
  }
}

/** Listens to keys while the component is there. Keys of a single character can be turned off (WCAG 2.1.4). */
export function useHotkeys(keys: Hotkeys) {
  const latest = useRef(keys)
  useEffect(() => {
    latest.current = keys
  })
  useEffect(() => {
    const match = matcher()
    const onKey = (event: KeyboardEvent) => {
      const withModifier = event.ctrlKey || event.metaKey
      if (event.defaultPrevented) return
      if (
        !withModifier &&
        (takesText(event.target) ||
          isOwnKey(event.target, event.key) ||
          document.querySelector('[aria-modal="true"]') !== null)
      )
        return
      if (!withModifier && event.key.length === 1 && shortcutKeys.get() === 'off') return
      const run = match(latest.current, event)
      if (run === undefined) return
      event.preventDefault()
      run(event)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
}

/** The keys of all pages, as help tells them. */
export const shortcutSheet: readonly { where: string; keys: readonly (readonly [string, string])[] }[] = [
  {
    where: 'Everywhere',
    keys: [
      ['mod+k', 'Go to a page or a job'],
      ['g h', 'Home'],
      ['g j', 'Jobs'],
      ['g n', 'New job'],
      ['g p', 'Profile'],
      ['?', 'These keys'],
    ],
  },
  {
    where: 'Jobs',
    keys: [
      ['/', 'Search'],
      ['j', 'Next job'],
      ['k', 'Job before'],
      ['Enter', 'Open the job'],
      ['x', 'Select the job'],
      ['Shift+x', 'Select all from the last selected'],
      ['Escape', 'Clear the selection'],
    ],
  },
  {
    where: 'A job',
    keys: [
      ['j', 'Next row'],
      ['k', 'Row before'],
    ],
  },
  {
    where: 'A position of a job',
    keys: [
      ['ArrowRight', 'Next picture'],
      ['ArrowLeft', 'Picture before'],
      ['Space', 'Blink, and stop'],
      ['j', 'Next position'],
      ['k', 'Position before'],
    ],
  },
  { where: 'New job', keys: [['mod+Enter', 'Submit']] },
]

export const keyName = (key: string) =>
  key
    .replace('mod', isApple ? '⌘' : 'Ctrl')
    .replace('Enter', '↵')
    .replace('Escape', 'Esc')
    .replace('ArrowLeft', '←')
    .replace('ArrowRight', '→')
