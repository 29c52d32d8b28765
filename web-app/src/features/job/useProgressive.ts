import { useCallback, useEffect, useRef, useState } from 'react'

/** Many small pieces are shown together this often: each showing costs as much as all that is there. */
const PAUSE = 120

/** A list that only grows. */
export function useProgressive<T>(): [readonly T[], (more: readonly T[]) => void] {
  const [all, setAll] = useState<readonly T[]>([])
  const held = useRef<T[]>([])
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const add = useCallback((more: readonly T[]) => {
    for (const one of more) held.current.push(one)
    timer.current ??= setTimeout(() => {
      timer.current = undefined
      const next = held.current
      held.current = []
      setAll((old) => old.concat(next))
    }, PAUSE)
  }, [])
  return [all, add]
}
