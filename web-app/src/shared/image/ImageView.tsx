import { useEffect, useId, useRef, useState } from 'react'
import type { Pixel, Wcs } from '@/shared/astro/wcs'
import { Icon } from '@/shared/ui/Icon'
import { drawOverlay } from './overlay'
import { keyed, usePan } from './usePan'
import { fitted, toScreen, zoomed, type Size, type View } from './view'
import cx from './image.module.css'

type ImageViewProps = {
  label: string
  bitmap: ImageBitmap | undefined
  wcs?: Wcs | undefined
  /** A place that is marked. */
  mark?: Pixel | undefined
  cursor: Pixel | undefined
  onCursor: (pixel: Pixel | undefined, byKeys: boolean) => void
  /** Whether arrow keys move the image; else they are left to the page. */
  panByArrows?: boolean
}

const NOTHING: Size = { width: 0, height: 0 }

/** An image that can be moved and zoomed, north and east and a scale on it. What is under the cursor is told. */
export function ImageView(props: ImageViewProps) {
  const { label, bitmap, wcs, mark, cursor, onCursor, panByArrows = true } = props
  const box = useRef<HTMLDivElement>(null)
  const canvas = useRef<HTMLCanvasElement>(null)
  const [screen, setScreen] = useState(NOTHING)
  // Kept with the size that it was chosen for: an image of another one begins anew, those alike keep it.
  const [chosen, setChosen] = useState<{ view: View; of: string }>()
  const hint = useId()

  const image = { width: bitmap?.width ?? 1, height: bitmap?.height ?? 1 }
  const of = `${image.width} ${image.height}`
  const view = chosen?.of === of ? chosen.view : fitted(image, screen)
  const onView = (next: View | undefined) => setChosen(next && { view: next, of })
  const pan = usePan({ box, view, screen, image, onView, onCursor })

  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setScreen({ width: entry.contentRect.width, height: entry.contentRect.height })
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    const element = canvas.current
    const context = element?.getContext('2d')
    if (!element || !context || screen.width === 0) return
    const ratio = window.devicePixelRatio
    element.width = Math.round(screen.width * ratio)
    element.height = Math.round(screen.height * ratio)
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    if (bitmap === undefined) return
    const size = { width: bitmap.width, height: bitmap.height }
    // Near, pixels are seen as what they are.
    context.imageSmoothingEnabled = view.zoom * ratio < 1
    context.imageSmoothingQuality = 'high'
    const [left, top] = toScreen(view, screen, 0, 0)
    context.drawImage(bitmap, left, top, size.width * view.zoom, size.height * view.zoom)
    drawOverlay(context, { view, screen, image: size, wcs, mark, cursor })
  })

  return (
    <div className={cx['frame']}>
      {/* It takes keys of its own, as its description tells. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions */}
      <div
        ref={box}
        className={cx['view']}
        role="application"
        aria-label={label}
        aria-describedby={hint}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
        tabIndex={0}
        {...pan}
        onKeyDown={(event) => {
          const use = { view, screen, image, onView, onCursor, cursor, panByArrows }
          if (keyed(event, use)) event.preventDefault()
        }}
      >
        <canvas ref={canvas} className={cx['canvas']} aria-hidden="true" />
      </div>
      <div className={cx['zoom']} role="group" aria-label="Zoom">
        <button type="button" aria-label="Nearer" onClick={() => onView(zoomed(view, screen, 1.5))}>
          <Icon name="plus" size={16} />
        </button>
        <button type="button" aria-label="Farther" onClick={() => onView(zoomed(view, screen, 1 / 1.5))}>
          <Icon name="minus" size={16} />
        </button>
        <button type="button" aria-label="The whole image" onClick={() => onView(undefined)}>
          <Icon name="fit" size={16} />
        </button>
      </div>
      <p className={cx['hint']} id={hint}>
        <kbd>+</kbd> <kbd>−</kbd> zoom, <kbd>0</kbd> whole, <kbd>1</kbd> pixel by pixel,{' '}
        {panByArrows && 'arrows move, '}
        <kbd>Shift</kbd> and arrows: pixel to pixel
      </p>
    </div>
  )
}
