import aladinUrl from 'aladin-lite?url'
import { cspNonce } from '@/shared/config'

/** As much of Aladin Lite's interface as is used here (its version 3.8.2). */
export type Aladin = {
  increaseZoom: () => void
  decreaseZoom: () => void
  setFoV: (degrees: number) => void
  gotoRaDec: (ra: number, dec: number) => void
  pix2world: (x: number, y: number) => [number, number] | undefined
  getSize: () => [number, number]
  setFrame: (frame: string) => void
  setCooGrid: (options: { enabled: boolean }) => void
  getBaseImageLayer: () => AladinImage | undefined
}
type AladinImage = { setColormap: (name: string, options: { stretch: string; reversed: boolean }) => void }
type Place = (ra: number, dec: number, field: number) => void
type Module = {
  init: Promise<void>
  image: (
    url: string,
    options: { name: string; successCallback: Place; errorCallback: (error: unknown) => void },
  ) => AladinImage
  aladin: (element: HTMLElement, options: Record<string, unknown>) => Aladin
}

export type AladinView = { aladin: Aladin; whole: () => void }

export const hasWebgl2 = () => document.createElement('canvas').getContext('webgl2') !== null

/** All that would ask a server of somebody else, and controls that have no names: ours stand for them. */
const off = {
  hipsList: [],
  log: false,
  samp: false,
  showZoomControl: false,
  showLayersControl: false,
  showFullscreenControl: false,
  showSimbadPointerControl: false,
  showCooGridControl: false,
  showSettingsControl: false,
  showColorPickerControl: false,
  showShareControl: false,
  showProjectionControl: false,
  showContextMenu: false,
  showStatusBar: false,
  showFrame: false,
  showFov: false,
  showCooLocation: false,
  showReticle: false,
}

/** Shows an image by Aladin Lite: its file as it was published, loaded only here. Rejects with what went wrong. */
export async function startAladin(element: HTMLElement, url: string, name: string): Promise<AladinView> {
  const { default: library } = (await import(/* @vite-ignore */ aladinUrl)) as { default: Module }
  await library.init
  return new Promise((resolve, reject) => {
    let place: Parameters<Place> | undefined
    const whole = () => {
      if (place === undefined) return
      const [ra, dec, field] = place
      aladin.gotoRaDec(ra, dec)
      // A field is that of the width, and all of the height is to be seen too.
      const [width, height] = aladin.getSize()
      aladin.setFoV(field * 1.05 * Math.max(1, width / height))
    }
    const survey = library.image(url, {
      name,
      successCallback: (...found) => {
        place = found
        whole()
        resolve({ aladin, whole })
      },
      errorCallback: (error) => {
        reject(error instanceof Error ? error : new Error(String(error)))
      },
    })
    const options = { ...off, survey, fov: 1, projection: 'TAN', backgroundColor: 'rgb(5, 7, 12)' }
    // The file is read later than this, however small.
    const aladin = underPolicy(() => library.aladin(element, options))
  })
}

/**
 * Makes it under the page's policy: its style element gets the nonce when it is put in, and a meter of its own, which is
 * never shown, goes without the style attributes that the policy refuses.
 */
function underPolicy<T>(make: () => T): T {
  const append = Reflect.get(Element.prototype, 'appendChild')
  const inner = Object.getOwnPropertyDescriptor(Element.prototype, 'innerHTML')
  Element.prototype.appendChild = function <N extends Node>(this: Element, node: N): N {
    if (node instanceof HTMLStyleElement) node.nonce = cspNonce()
    return append.call(this, node) as N
  }
  if (inner !== undefined) {
    Object.defineProperty(Element.prototype, 'innerHTML', {
      ...inner,
      set(this: Element, html: unknown) {
        inner.set?.call(this, String(html).replaceAll(' style="font-weight:bold"', ''))
      },
    })
  }
  try {
    return make()
  } finally {
    Reflect.deleteProperty(Element.prototype, 'appendChild')
    if (inner !== undefined) Object.defineProperty(Element.prototype, 'innerHTML', inner)
  }
}
