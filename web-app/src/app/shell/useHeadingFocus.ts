import { useEffect, useRef } from 'react'

const isLost = (main: HTMLElement | null) =>
  document.activeElement === null ||
  document.activeElement === document.body ||
  document.activeElement === main

/**
 * After a change of page its heading has the focus, so that it is read and the keyboard begins there. Where the
 * heading comes only with what the page reads, the page has the focus until then, or until somebody does something.
 * `path`: of the page that is shown, not of the one that is coming.
 */
export function useHeadingFocus(path: string | undefined) {
  const last = useRef(path)
  useEffect(() => {
    const before = last.current
    last.current = path
    if (before === undefined || path === before) return undefined
    const main = document.getElementById('page')
    const take = () => (document.getElementById('page-title') ?? main)?.focus({ preventScroll: true })
    take()
    if (main === null) return undefined
    const observer = new MutationObserver(() => {
      if (isLost(main)) take()
    })
    observer.observe(main, { childList: true, subtree: true })
    const end = () => observer.disconnect()
    window.addEventListener('keydown', end, { capture: true, once: true })
    window.addEventListener('pointerdown', end, { capture: true, once: true })
    return () => {
      end()
      window.removeEventListener('keydown', end, { capture: true })
      window.removeEventListener('pointerdown', end, { capture: true })
    }
  }, [path])
}
