import { describe, expect, it } from 'vitest'
import { fitted, moved, onPicture, pixelAt, toScreen, zoomed } from './view'

const image = { width: 100, height: 50 }
const screen = { width: 400, height: 400 }

describe('a view', () => {
  it('begins with the whole image in the middle', () => {
    expect(fitted(image, screen)).toEqual({ zoom: 4, x: 50, y: 25 })
  })

  it('has the first pixel of the file below at the left, the last above at the right', () => {
    const view = fitted(image, screen)
    expect(pixelAt(view, screen, image, 0, 299)).toEqual({ x: 1, y: 1 })
    expect(pixelAt(view, screen, image, 399, 100)).toEqual({ x: 100, y: 50 })
    expect(pixelAt(view, screen, image, 200, 99)).toBeUndefined()
  })

  it('shows the middle of a pixel where that pixel is', () => {
    const view = zoomed(fitted(image, screen), screen, 3, [77, 210])
    for (const pixel of [
      { x: 30, y: 20 },
      { x: 21, y: 24 },
    ]) {
      const [x, y] = toScreen(view, screen, ...onPicture(pixel, image))
      expect(pixelAt(view, screen, image, x, y)).toEqual(pixel)
    }
  })

  it('keeps what is under the pointer when it goes nearer', () => {
    const view = fitted(image, screen)
    const near = zoomed(view, screen, 4, [120, 180])
    expect(near.zoom).toBe(16)
    expect(pixelAt(near, screen, image, 120, 180)).toEqual(pixelAt(view, screen, image, 120, 180))
  })

  it('goes neither infinitely near nor out of sight', () => {
    const view = fitted(image, screen)
    expect(zoomed(view, screen, 1e9).zoom).toBe(64)
    expect(moved(view, image, 1e6, -1e6)).toEqual({ zoom: 4, x: 0, y: 50 })
  })
})
