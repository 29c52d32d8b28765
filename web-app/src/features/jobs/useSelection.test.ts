import { act, renderHook } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { useSelection } from './useSelection'

const selectionOf = (ids: string[]) =>
  renderHook(({ list }) => useSelection(list), { initialProps: { list: ids } })

describe('useSelection', () => {
  it('chooses one and lets it go', () => {
    const { result } = selectionOf(['a', 'b'])
    act(() => result.current.toggle('a'))
    expect([...result.current.chosen]).toEqual(['a'])
    act(() => result.current.toggle('a'))
    expect(result.current.chosen.size).toBe(0)
  })

  it('extends from the last one chosen, either way', () => {
    const { result } = selectionOf(['a', 'b', 'c', 'd', 'e'])
    act(() => result.current.toggle('d'))
    act(() => result.current.extend('b'))
    expect([...result.current.chosen].sort()).toEqual(['b', 'c', 'd'])
    act(() => result.current.extend('c'))
    expect(result.current.chosen.size).toBe(3)
  })

  it('stays while rows come and change places, and forgets rows that are gone', () => {
    const { result, rerender } = selectionOf(['a', 'b', 'c'])
    act(() => result.current.toggle('b'))
    act(() => result.current.toggle('c'))
    rerender({ list: ['new', 'a', 'c', 'b'] })
    expect([...result.current.chosen].sort()).toEqual(['b', 'c'])
    rerender({ list: ['new', 'a', 'b'] })
    expect([...result.current.chosen]).toEqual(['b'])
  })

  it('chooses all, and none when all are', () => {
    const { result } = selectionOf(['a', 'b'])
    act(() => result.current.toggleAll())
    expect(result.current.chosen.size).toBe(2)
    act(() => result.current.toggleAll())
    expect(result.current.chosen.size).toBe(0)
  })
})
