import type { KeyboardEvent } from 'react'
import { expect, it, vi } from 'vitest'
import { keyed } from './usePan'

const image = { width: 100, height: 50 }
const press = (
  key: string,
  view: { zoom: number; x: number; y: number },
  cursor?: { x: number; y: number },
) => {
  const onCursor = vi.fn()
  const event = { key, shiftKey: true, ctrlKey: false, metaKey: false, altKey: false } as KeyboardEvent
  const use = { view, screen: { width: 400, height: 400 }, image, onView: vi.fn(), cursor, panByArrows: true }
  expect(keyed(event, { ...use, onCursor })).toBe(true)
  return onCursor.mock.calls[0]?.[0] as unknown
}

it('moves the cursor from pixel to pixel, never off the image', () => {
  expect(press('ArrowRight', { zoom: 4, x: 50, y: 25 }, { x: 7, y: 9 })).toEqual({ x: 8, y: 9 })
  expect(press('ArrowUp', { zoom: 4, x: 50, y: 25 }, { x: 7, y: 50 })).toEqual({ x: 7, y: 50 })
})

it('begins with a pixel of the image, also when the middle of the screen is beside it', () => {
  expect(press('ArrowRight', { zoom: 4, x: 50, y: 25 })).toEqual({ x: 51, y: 26 })
  expect(press('ArrowRight', { zoom: 4, x: 100, y: 0 })).toEqual({ x: 100, y: 50 })
  expect(press('ArrowRight', { zoom: 4, x: 250, y: -90 })).toEqual({ x: 100, y: 50 })
})
