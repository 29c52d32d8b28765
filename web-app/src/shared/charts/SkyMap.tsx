import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import {
  aitoff,
  circleAround,
  distance,
  formatDec,
  formatRa,
  gnomonic,
  type Position,
} from '@/shared/astro/coords'
import cx from './skymap.module.css'

export type SkyPoint = Position & { id: number; name: string; tone: 'good' | 'bad' | 'plain' }

type SkyMapProps = {
  label: string
  points: readonly SkyPoint[]
  /** Outlines of images: vertices as right ascension and declination, degrees. */
  outlines?: readonly (readonly (readonly number[])[])[]
  active?: number | undefined
  onPick?: (id: number) => void
}

/** Beyond this a plane that touches the sky is stretched too much, degrees. */
const WIDE = 35
/** A map is never of less than this, degrees. */
const LEAST = 0.01

type Scene = {
  project: (position: Position) => [number, number] | undefined
  /** What is seen of the plane: its middle, and half of its width and height. */
  view: { x: number; y: number; width: number; height: number }
  /** The greater of these. */
  span: number
  middle: Position
  whole: boolean
}

/** What to show: all that is there, or the whole sky if it is spread too far. */
function sceneOf(points: readonly SkyPoint[], outlines: SkyMapProps['outlines'] = []): Scene {
  // Outlines far from all points would make these a dot.
  const near = circleAround(points)
  const corners = outlines
    .flat()
    .map(([ra = 0, dec = 0]) => ({ ra, dec }))
    .filter((corner) => near === undefined || distance(near.middle, corner) < Math.max(2, near.radius * 3))
  const circle = circleAround([...points, ...corners])
  if (circle === undefined || circle.radius > WIDE) {
    const ra = circle?.middle.ra ?? 0
    const view = { x: 0, y: 0, width: 186, height: 95 }
    return { project: aitoff(ra), view, span: 180, middle: { ra, dec: 0 }, whole: true }
  }
  const project = gnomonic(circle.middle)
  const places = [...points, ...corners].map(project).filter((at) => at !== undefined)
  const [left, right] = rangeOf(places.map(([x]) => x))
  const [low, high] = rangeOf(places.map(([, y]) => y))
  const half = (from: number, to: number) => Math.max(LEAST, ((to - from) / 2) * 1.18)
  const view = {
    x: (left + right) / 2,
    y: (low + high) / 2,
    width: half(left, right),
    height: half(low, high),
  }
  return { project, view, span: Math.max(view.width, view.height), middle: circle.middle, whole: false }
}

/** Least and greatest, also of more numbers than a call takes. */
const rangeOf = (values: readonly number[]): [number, number] => [
  values.reduce((least, value) => Math.min(least, value), Infinity),
  values.reduce((most, value) => Math.max(most, value), -Infinity),
]

const steps = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30]

/** Positions and images on the sky, north up and east left. The table beside it tells the same to the keyboard. */
export function SkyMap({ label, points, outlines, active, onPick }: SkyMapProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [size, setSize] = useState({ width: 0, height: 0 })
  const [under, setUnder] = useState<SkyPoint>()
  const scene = useMemo(() => sceneOf(points, outlines), [points, outlines])

  const place = useCallback(
    (position: Position): [number, number] | undefined => {
      const at = scene.project(position)
      if (at === undefined) return undefined
      const { x, y, width, height } = scene.view
      const scale = Math.min(size.width / (2 * width), size.height / (2 * height))
      return [size.width / 2 + (at[0] - x) * scale, size.height / 2 - (at[1] - y) * scale]
    },
    [scene, size],
  )

  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height })
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d')
    if (!element || !context || size.width === 0) return
    const ratio = window.devicePixelRatio
    element.width = Math.round(size.width * ratio)
    element.height = Math.round(size.height * ratio)
    const paint = () => {
      context.setTransform(ratio, 0, 0, ratio, 0, 0)
      context.clearRect(0, 0, size.width, size.height)
      draw(context, { scene, place, points, outlines, active, element })
    }
    paint()
    // A canvas does not follow the theme by itself.
    const observer = new MutationObserver(paint)
    observer.observe(document.documentElement, {
      attributeFilter: ['data-mantine-color-scheme', 'data-theme'],
    })
    return () => observer.disconnect()
  }, [scene, place, points, outlines, active, size])

  const pick = (event: React.MouseEvent<HTMLCanvasElement>): SkyPoint | undefined => {
    const box = event.currentTarget.getBoundingClientRect()
    let best: SkyPoint | undefined
    let least = 14
    for (const point of points) {
      const at = place(point)
      if (at === undefined) continue
      const away = Math.hypot(at[0] - (event.clientX - box.left), at[1] - (event.clientY - box.top))
      if (away < least) {
        least = away
        best = point
      }
    }
    return best
  }
  const shown = under ?? points.find(({ id }) => id === active)
  return (
    <figure className={cx['map']}>
      {/* A picture that can be pointed at. */}
      <canvas
        ref={canvas}
        className={cx['canvas']}
        // eslint-disable-next-line jsx-a11y/no-interactive-element-to-noninteractive-role
        role="img"
        aria-label={label}
        data-picks={(under !== undefined && onPick !== undefined) || undefined}
        onMouseMove={(event) => setUnder(pick(event))}
        onMouseLeave={() => setUnder(undefined)}
        onClick={(event) => {
          const point = pick(event)
          if (point !== undefined) onPick?.(point.id)
        }}
      />
      <figcaption className={cx['caption']}>
        {shown ? (
          <>
            <strong>{shown.name}</strong> {formatRa(shown.ra)} {formatDec(shown.dec)}
          </>
        ) : (
          <>
            ICRS, north up, east left ·{' '}
            {scene.whole ? 'the whole sky' : `${fieldName(scene.span * 2)} across`}
          </>
        )}
      </figcaption>
    </figure>
  )
}

const fieldName = (degrees: number) =>
  degrees >= 1.5
    ? `${degrees.toFixed(1)}°`
    : degrees >= 0.025
      ? `${(degrees * 60).toFixed(1)}′`
      : `${(degrees * 3600).toFixed(0)}″`

type Drawing = Pick<SkyMapProps, 'points' | 'outlines' | 'active'> & {
  scene: Scene
  place: (position: Position) => [number, number] | undefined
  element: HTMLElement
}

function draw(
  context: CanvasRenderingContext2D,
  { scene, place, points, outlines, active, element }: Drawing,
) {
  const style = getComputedStyle(element)
  const colour = (name: string) => style.getPropertyValue(name)

  context.lineWidth = 1
  context.strokeStyle = colour('--line')
  for (const line of graticule(scene)) stroke(context, line.map(place))

  context.strokeStyle = colour('--line-strong')
  context.fillStyle = colour('--tint')
  for (const outline of outlines ?? []) {
    const corners = outline.map(([ra = 0, dec = 0]) => place({ ra, dec }))
    const first = corners[0]
    if (first === undefined || corners.includes(undefined)) continue
    const xs = corners.map((corner) => corner?.[0] ?? 0)
    // Cut by the edge of the whole sky, it would be drawn all across it.
    if (scene.whole && Math.max(...xs) - Math.min(...xs) > element.clientWidth / 2) continue
    stroke(context, [...corners, first])
    context.globalAlpha = 0.55
    context.fill()
    context.globalAlpha = 1
  }

  const radius = points.length > 2_000 ? 1.6 : points.length > 200 ? 2.4 : 4
  const tones = { good: colour('--good'), bad: colour('--bad'), plain: colour('--accent') }
  for (const point of points) {
    const at = place(point)
    if (at === undefined) continue
    context.fillStyle = tones[point.tone]
    context.strokeStyle = tones[point.tone]
    context.beginPath()
    if (point.tone === 'bad' && radius > 2) {
      // A cross, so that colour is not alone.
      context.lineWidth = 2
      context.moveTo(at[0] - radius, at[1] - radius)
      context.lineTo(at[0] + radius, at[1] + radius)
      context.moveTo(at[0] - radius, at[1] + radius)
      context.lineTo(at[0] + radius, at[1] - radius)
      context.stroke()
    } else {
      context.arc(at[0], at[1], radius, 0, 2 * Math.PI)
      context.fill()
    }
    if (point.id === active) {
      context.strokeStyle = colour('--ink')
      context.lineWidth = 2
      context.beginPath()
      context.arc(at[0], at[1], radius + 5, 0, 2 * Math.PI)
      context.stroke()
    }
  }
}

function stroke(context: CanvasRenderingContext2D, line: readonly ([number, number] | undefined)[]) {
  context.beginPath()
  let pen = false
  for (const at of line) {
    if (at === undefined) pen = false
    else if (pen) context.lineTo(at[0], at[1])
    else {
      context.moveTo(at[0], at[1])
      pen = true
    }
  }
  context.stroke()
}

/** Meridians and parallels, about six of each. */
function graticule({ middle, span, whole }: Scene): Position[][] {
  const lines: Position[][] = []
  if (whole) {
    for (let ra = -180; ra <= 180; ra += 30) {
      const edge = middle.ra + (ra === 180 ? 179.999 : ra)
      lines.push(range(-90, 90, 3).map((dec) => ({ ra: edge, dec })))
    }
    for (let dec = -60; dec <= 60; dec += 30) {
      lines.push(range(-179.999, 179.999, 4).map((ra) => ({ ra: middle.ra + ra, dec })))
    }
    return lines
  }
  const step = steps.find((one) => one >= span / 3) ?? 30
  const shrink = Math.max(0.05, Math.cos((middle.dec * Math.PI) / 180))
  const stepRa = steps.find((one) => one >= span / 3 / shrink) ?? 30
  const reach = Math.min(180, (span * 3) / shrink)
  const low = Math.max(-90, middle.dec - span * 2.5)
  const high = Math.min(90, middle.dec + span * 2.5)
  for (let ra = Math.ceil((middle.ra - reach) / stepRa) * stepRa; ra <= middle.ra + reach; ra += stepRa) {
    lines.push(range(low, high, (high - low) / 24).map((dec) => ({ ra, dec })))
  }
  for (let dec = Math.ceil(low / step) * step; dec <= high; dec += step) {
    lines.push(range(middle.ra - reach, middle.ra + reach, reach / 24).map((ra) => ({ ra, dec })))
  }
  return lines
}

const range = (from: number, to: number, step: number) =>
  Array.from({ length: Math.floor((to - from) / step + 1e-9) + 1 }, (_, index) => from + index * step)
