import { useCallback, useEffect, useMemo, useRef, useState } from 'react'

export type Selection = {
  chosen: ReadonlySet<string>
  toggle: (id: string) => void
  /** From the last one chosen up to this one. */
  extend: (id: string) => void
  toggleAll: () => void
  clear: () => void
}

/** Rows that are chosen out of a list that grows and changes; those that are no longer there are not chosen. */
export function useSelection(ids: readonly string[]): Selection {
  const [kept, setKept] = useState<ReadonlySet<string>>(new Set())
  const last = useRef<string>(undefined)
  const order = useRef(ids)
  useEffect(() => {
    order.current = ids
  })

  const chosen = useMemo(() => {
    const there = ids.filter((id) => kept.has(id))
    return there.length === kept.size ? kept : new Set(there)
  }, [ids, kept])

  const toggle = useCallback((id: string) => {
    last.current = id
    setKept((old) => {
      const next = new Set(old)
      if (!next.delete(id)) next.add(id)
      return next
    })
  }, [])
  const extend = useCallback((id: string) => {
    const [from, to] = [order.current.indexOf(last.current ?? id), order.current.indexOf(id)].sort(
      (a, b) => a - b,
    )
    setKept((old) => new Set([...old, ...order.current.slice(Math.max(0, from ?? 0), (to ?? 0) + 1)]))
    last.current = id
  }, [])
  const toggleAll = useCallback(
    () => setKept((old) => (order.current.every((id) => old.has(id)) ? new Set() : new Set(order.current))),
    [],
  )
  const clear = useCallback(() => setKept(new Set()), [])
  return { chosen, toggle, extend, toggleAll, clear }
}
