/** What is drawn over an image: where north and east are, a scale, a mark, the pixel that is looked at. */
import { compass, widthOf, type Pixel, type Wcs } from '@/shared/astro/wcs'
import { onPicture, toScreen, type Size, type View } from './view'

export type Overlay = {
  view: View
  screen: Size
  image: Size
  wcs: Wcs | undefined
  /** A place that is marked, such as a position that was asked for. */
  mark: Pixel | undefined
  cursor: Pixel | undefined
}

export function drawOverlay(context: CanvasRenderingContext2D, overlay: Overlay) {
  context.lineCap = 'round'
  context.lineJoin = 'round'
  context.font = '600 12px system-ui, sans-serif'
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  if (overlay.mark !== undefined) drawMark(context, overlay, overlay.mark)
  if (overlay.cursor !== undefined) drawCursor(context, overlay, overlay.cursor)
  if (overlay.wcs !== undefined) {
    drawCompass(context, overlay, overlay.wcs)
    drawScale(context, overlay, overlay.wcs)
  }
}

/** White with a dark edge: seen on any image. */
function outlined(context: CanvasRenderingContext2D, path: () => void) {
  for (const [colour, width] of [
    ['rgb(0 0 0 / 70%)', 4],
    ['#ffffff', 1.8],
  ] as const) {
    context.strokeStyle = colour
    context.lineWidth = width
    context.beginPath()
    path()
    context.stroke()
  }
}

function label(context: CanvasRenderingContext2D, text: string, x: number, y: number) {
  context.strokeStyle = 'rgb(0 0 0 / 75%)'
  context.lineWidth = 3.5
  context.strokeText(text, x, y)
  context.fillStyle = '#ffffff'
  context.fillText(text, x, y)
}

function drawMark(context: CanvasRenderingContext2D, { view, screen, image }: Overlay, mark: Pixel) {
  const [x, y] = toScreen(view, screen, ...onPicture(mark, image))
  // Open in the middle, so that what is there is seen.
  const gap = Math.max(9, view.zoom * 2.5)
  outlined(context, () => {
    for (const [dx, dy] of [
      [1, 0],
      [0, 1],
    ] as const) {
      context.moveTo(x + dx * gap, y - dy * gap)
      context.lineTo(x + dx * (gap + 14), y - dy * (gap + 14))
    }
  })
}

function drawCursor(context: CanvasRenderingContext2D, { view, screen, image }: Overlay, cursor: Pixel) {
  const [x, y] = toScreen(view, screen, ...onPicture(cursor, image))
  const half = Math.max(5, view.zoom / 2)
  outlined(context, () => context.rect(x - half, y - half, 2 * half, 2 * half))
}

/** The pixel in the middle of the screen. */
const middleOf = ({ view, image }: Overlay): Pixel => ({ x: view.x + 0.5, y: image.height - view.y + 0.5 })

function drawCompass(context: CanvasRenderingContext2D, overlay: Overlay, wcs: Wcs) {
  const found = compass(wcs, middleOf(overlay))
  if (found === undefined) return
  const [x, y] = [46, 46]
  const galactic = wcs.frame === 'galactic'
  for (const [arrow, name] of [
    [found.north, galactic ? 'b' : 'N'],
    [found.east, galactic ? 'l' : 'E'],
  ] as const) {
    const [dx, dy] = [arrow.x, -arrow.y]
    const [tipX, tipY] = [x + dx * 24, y + dy * 24]
    outlined(context, () => {
      context.moveTo(x, y)
      context.lineTo(tipX, tipY)
      context.moveTo(tipX - dx * 6 - dy * 4, tipY - dy * 6 + dx * 4)
      context.lineTo(tipX, tipY)
      context.lineTo(tipX - dx * 6 + dy * 4, tipY - dy * 6 - dx * 4)
    })
    label(context, name, x + dx * 35, y + dy * 35)
  }
}

const lengths = [1, 2, 5, 10, 15, 30].flatMap((value) => [value / 3600, value / 60, value])
const finer = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5].map((value) => value / 3600)
const steps = [...finer, ...lengths].sort((one, other) => one - other)

export const lengthName = (degrees: number): string => {
  const seconds = degrees * 3600
  if (seconds < 59.5) return `${Number(seconds.toPrecision(3))}″`
  if (seconds < 3599) return `${Number((seconds / 60).toPrecision(3))}′`
  return `${Number(degrees.toPrecision(3))}°`
}

/** The largest round length that takes at most so many points, and how many it takes. */
export function scaleBar(
  degreesPerPoint: number,
  most: number,
): { degrees: number; points: number } | undefined {
  const degrees = steps.findLast((step) => step / degreesPerPoint <= most)
  return degrees === undefined ? undefined : { degrees, points: degrees / degreesPerPoint }
}

function drawScale(context: CanvasRenderingContext2D, overlay: Overlay, wcs: Wcs) {
  const { view, screen } = overlay
  const width = widthOf(wcs, middleOf(overlay))
  const bar = width && scaleBar(width / view.zoom, Math.min(160, screen.width / 3))
  if (!bar) return
  const [x, y] = [16, screen.height - 18]
  outlined(context, () => {
    context.moveTo(x, y - 4)
    context.lineTo(x, y + 4)
    context.moveTo(x, y)
    context.lineTo(x + bar.points, y)
    context.moveTo(x + bar.points, y - 4)
    context.lineTo(x + bar.points, y + 4)
  })
  label(context, lengthName(bar.degrees), x + bar.points / 2, y - 13)
}
