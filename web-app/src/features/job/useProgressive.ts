import { useCallback, useState } from 'react'

/** A list that only grows. */
export function useProgressive<T>(): [readonly T[], (more: readonly T[]) => void] {
  const [all, setAll] = useState<readonly T[]>([])
  const add = useCallback((more: readonly T[]) => setAll((old) => [...old, ...more]), [])
  return [all, add]
}
