import { useEffect, useRef, type RefObject } from 'react'
import { fitted, moved, pixelAt, zoomed, type Size, type View } from './view'
import type { Pixel } from '@/shared/astro/wcs'

type Pan = {
  box: RefObject<HTMLElement | null>
  view: View
  screen: Size
  image: Size
  onView: (view: View | undefined) => void
  onCursor: (pixel: Pixel | undefined, byKeys: boolean) => void
}

type Point = { x: number; y: number }
const between = (a: Point, b: Point) => ({
  x: (a.x + b.x) / 2,
  y: (a.y + b.y) / 2,
  apart: Math.hypot(a.x - b.x, a.y - b.y),
})

/** Moves and zooms by the pointer, by two fingers, and by the wheel once the image has the focus, or with Ctrl. */
export function usePan({ box, view, screen, image, onView, onCursor }: Pan) {
  const down = useRef(new Map<number, Point>())
  const latest = useRef({ view, screen, image, onView })
  useEffect(() => {
    latest.current = { view, screen, image, onView }
  })

  const placeOf = ({ clientX, clientY, currentTarget }: React.PointerEvent): Point => {
    const { left, top } = currentTarget.getBoundingClientRect()
    return { x: clientX - left, y: clientY - top }
  }

  useEffect(() => {
    const element = box.current
    if (element === null) return
    // React's own listener could not keep the page from scrolling.
    const onWheel = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return
      event.preventDefault()
      const { left, top } = element.getBoundingClientRect()
      const factor = Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.04 : 0.002))
      const now = latest.current
      now.onView(zoomed(now.view, now.screen, factor, [event.clientX - left, event.clientY - top]))
    }
    element.addEventListener('wheel', onWheel, { passive: false })
    return () => element.removeEventListener('wheel', onWheel)
  }, [box])

  return {
    onPointerDown: (event: React.PointerEvent) => {
      if (event.button !== 0) return
      event.currentTarget.setPointerCapture(event.pointerId)
      down.current.set(event.pointerId, placeOf(event))
    },
    onPointerMove: (event: React.PointerEvent) => {
      const place = placeOf(event)
      onCursor(pixelAt(view, screen, image, place.x, place.y), false)
      const before = down.current.get(event.pointerId)
      if (before === undefined) return
      const other = [...down.current].find(([id]) => id !== event.pointerId)?.[1]
      down.current.set(event.pointerId, place)
      if (other === undefined) {
        onView(moved(view, image, place.x - before.x, place.y - before.y))
        return
      }
      const [was, is] = [between(before, other), between(place, other)]
      const nearer = zoomed(view, screen, is.apart / Math.max(1, was.apart), [is.x, is.y])
      onView(moved(nearer, image, is.x - was.x, is.y - was.y))
    },
    onPointerUp: (event: React.PointerEvent) => down.current.delete(event.pointerId),
    onPointerCancel: (event: React.PointerEvent) => down.current.delete(event.pointerId),
    onPointerLeave: (event: React.PointerEvent) => {
      if (!down.current.has(event.pointerId)) onCursor(undefined, false)
    },
    onDoubleClick: (event: React.MouseEvent) => {
      const { left, top } = event.currentTarget.getBoundingClientRect()
      onView(zoomed(view, screen, 2, [event.clientX - left, event.clientY - top]))
    },
  }
}

const arrows: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
}

type Keyed = Omit<Pan, 'box'> & { cursor: Pixel | undefined; panByArrows: boolean }

/** What a key does to the view or the cursor; false if nothing. */
export function keyed(event: React.KeyboardEvent, use: Keyed): boolean {
  const { view, screen, image, onView, onCursor, cursor, panByArrows } = use
  const arrow = arrows[event.key]
  if (event.ctrlKey || event.metaKey || event.altKey) return false
  if (arrow !== undefined && event.shiftKey) {
    // It begins in the middle of what is seen, which may be beside the image.
    const [x, y] = cursor === undefined ? [view.x + 0.5, image.height - view.y + 0.5] : [cursor.x, cursor.y]
    const [dx, dy] = cursor === undefined ? [0, 0] : arrow
    const within = (value: number, most: number) => Math.min(most, Math.max(1, Math.round(value)))
    onCursor({ x: within(x + dx, image.width), y: within(y + dy, image.height) }, true)
  } else if (arrow !== undefined && panByArrows) {
    onView(moved(view, image, -arrow[0] * 40, arrow[1] * 40))
  } else if (event.key === '+' || event.key === '=') onView(zoomed(view, screen, 1.5))
  else if (event.key === '-') onView(zoomed(view, screen, 1 / 1.5))
  else if (event.key === '0') onView(undefined)
  else if (event.key === '1') onView({ ...fitted(image, screen), zoom: 1 })
  else return false
  return true
}
