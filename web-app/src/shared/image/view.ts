/** What part of an image is seen: geometry without a canvas. */
import type { Pixel } from '@/shared/astro/wcs'

export type Size = { width: number; height: number }
/** `zoom`: points of the screen for a pixel; `x`, `y`: what is in the middle, from the picture's upper left. */
export type View = { zoom: number; x: number; y: number }

export const LEAST_ZOOM = 1 / 64
export const MOST_ZOOM = 64

export const fitted = (image: Size, screen: Size): View => ({
  zoom: clampZoom(Math.min(screen.width / image.width, screen.height / image.height)),
  x: image.width / 2,
  y: image.height / 2,
})

const clampZoom = (zoom: number) => Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, zoom))

/** A place on the picture, from its upper left, on the screen. */
export const toScreen = (view: View, screen: Size, x: number, y: number): [number, number] => [
  screen.width / 2 + (x - view.x) * view.zoom,
  screen.height / 2 + (y - view.y) * view.zoom,
]

const fromScreen = (view: View, screen: Size, x: number, y: number): [number, number] => [
  view.x + (x - screen.width / 2) / view.zoom,
  view.y + (y - screen.height / 2) / view.zoom,
]

/** Nearer by a factor, with what is at a place of the screen staying there. */
export function zoomed(view: View, screen: Size, factor: number, at?: [number, number]): View {
  const zoom = clampZoom(view.zoom * factor)
  const [sx, sy] = at ?? [screen.width / 2, screen.height / 2]
  const [x, y] = fromScreen(view, screen, sx, sy)
  return { zoom, x: x - (sx - screen.width / 2) / zoom, y: y - (sy - screen.height / 2) / zoom }
}

/** Moved by points of the screen; some of the picture stays in sight. */
export function moved(view: View, image: Size, dx: number, dy: number): View {
  const within = (value: number, most: number) => Math.min(most, Math.max(0, value))
  return {
    zoom: view.zoom,
    x: within(view.x - dx / view.zoom, image.width),
    y: within(view.y - dy / view.zoom, image.height),
  }
}

/** A pixel as FITS counts, its middle on the picture. */
export const onPicture = ({ x, y }: Pixel, image: Size): [number, number] => [x - 0.5, image.height - y + 0.5]

/** The whole pixel at a place of the screen, as FITS counts; undefined beside the image. */
export function pixelAt(view: View, screen: Size, image: Size, sx: number, sy: number): Pixel | undefined {
  const [px, py] = fromScreen(view, screen, sx, sy)
  const x = Math.floor(px) + 1
  const y = image.height - Math.floor(py)
  return x >= 1 && y >= 1 && x <= image.width && y <= image.height ? { x, y } : undefined
}
