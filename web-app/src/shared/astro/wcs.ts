/** Pixels and the sky: zenithal projections of FITS (Calabretta and Greisen 2002, section 5.1), with SIP. */
import { distance } from './coords'
import type { Header } from './header'

export type SkyFrame = 'equatorial' | 'galactic'
/** Degrees: right ascension and declination, or galactic longitude and latitude. */
export type Sky = { ra: number; dec: number }
/** As FITS counts: the middle of the first pixel is 1, 1. */
export type Pixel = { x: number; y: number }

export type Wcs = {
  frame: SkyFrame
  /** As the header names it: ICRS, FK5 and so on. */
  system: string
  /** Whether it is that of positions in lists, to less than a pixel: ICRS, or FK5 of 2000. */
  isIcrs: boolean
  toSky: (pixel: Pixel) => Sky | undefined
  toPixel: (sky: Sky) => Pixel | undefined
}

const RADIANS = Math.PI / 180

/** Distance from the pole of the projection to that in the plane, both in degrees, and back. */
const zenithal: Record<string, { out: (distance: number) => number; back: (radius: number) => number }> = {
  TAN: {
    out: (distance) => (distance < 90 ? Math.tan(distance * RADIANS) / RADIANS : NaN),
    back: (radius) => Math.atan(radius * RADIANS) / RADIANS,
  },
  SIN: {
    out: (distance) => (distance <= 90 ? Math.sin(distance * RADIANS) / RADIANS : NaN),
    back: (radius) => Math.asin(radius * RADIANS) / RADIANS,
  },
  ARC: { out: (distance) => distance, back: (radius) => (radius <= 180 ? radius : NaN) },
  STG: {
    out: (distance) => (2 * Math.tan((distance / 2) * RADIANS)) / RADIANS,
    back: (radius) => (2 * Math.atan((radius * RADIANS) / 2)) / RADIANS,
  },
  ZEA: {
    out: (distance) => (2 * Math.sin((distance / 2) * RADIANS)) / RADIANS,
    back: (radius) => (2 * Math.asin((radius * RADIANS) / 2)) / RADIANS,
  },
}

type Matrix = readonly [number, number, number, number]

/** The coordinates that a header gives; a text says why there are none that are read here. */
export function readWcs(header: Header): Wcs | string {
  const types = [header.text('CTYPE1') ?? '', header.text('CTYPE2') ?? '']
  const of = types.map((type) => /^(RA|DEC|GLON|GLAT)-+([A-Z]{3})(-SIP)?$/.exec(type))
  const [first, second] = of
  if (!first || !second)
    return header.has('CTYPE1') ? `its axes are ${types.join(' and ')}` : 'it has no coordinates'
  const code = first[2] ?? ''
  const shape = zenithal[code]
  if (shape === undefined || second[2] !== code) return `the projection ${code} is not read here`
  const pair = `${first[1] ?? ''} ${second[1] ?? ''}`
  const swapped = pair === 'DEC RA' || pair === 'GLAT GLON'
  if (!swapped && pair !== 'RA DEC' && pair !== 'GLON GLAT') return `its axes are ${types.join(' and ')}`
  if (['PV2_1', 'PV2_2', 'PV1_1', 'PV1_2'].some((name) => (header.number(name) ?? 0) !== 0))
    return `the projection ${code} has terms (PV) that are not read here`

  const matrix = matrixOf(header)
  const [a, b, c, d] = matrix
  const determinant = a * d - b * c
  if (!(Math.abs(determinant) > 0)) return 'its matrix has no inverse'
  const [x0, y0] = [header.number('CRPIX1') ?? 0, header.number('CRPIX2') ?? 0]
  const values = [header.number('CRVAL1') ?? 0, header.number('CRVAL2') ?? 0]
  if (swapped) values.reverse()
  const [ra0 = 0, dec0 = 0] = values
  if (Math.abs(dec0) > 90) return 'its reference is on no sphere'
  // For a zenithal projection the native pole is the reference itself; beyond it, by default, 180 degrees.
  const pole = header.number('LONPOLE') ?? (dec0 >= 90 ? 0 : 180)
  const sip = first[3] === undefined ? undefined : readSip(header)

  const toSky = ({ x, y }: Pixel): Sky | undefined => {
    let [u, v] = [x - x0, y - y0]
    if (sip !== undefined) [u, v] = [u + sip.a(u, v), v + sip.b(u, v)]
    let [p, q] = [a * u + b * v, c * u + d * v]
    if (swapped) [p, q] = [q, p]
    const distance = shape.back(Math.hypot(p, q))
    if (!Number.isFinite(distance)) return undefined
    return fromNative(Math.atan2(p, -q) / RADIANS, distance, { ra0, dec0, pole })
  }
  const toPixel = (sky: Sky): Pixel | undefined => {
    const { along, distance } = toNative(sky, { ra0, dec0, pole })
    const radius = shape.out(distance)
    if (!Number.isFinite(radius)) return undefined
    let [p, q] = [radius * Math.sin(along * RADIANS), -radius * Math.cos(along * RADIANS)]
    if (swapped) [p, q] = [q, p]
    const [goalU, goalV] = [(d * p - b * q) / determinant, (a * q - c * p) / determinant]
    let [u, v] = [goalU, goalV]
    // The distortion is small: taken off again and again, what is left goes to nothing.
    if (sip !== undefined)
      for (let round = 0; round < 20; round += 1) [u, v] = [goalU - sip.a(u, v), goalV - sip.b(u, v)]
    return Number.isFinite(u) && Number.isFinite(v) ? { x: u + x0, y: v + y0 } : undefined
  }
  const frame = pair.includes('GLON') ? 'galactic' : 'equatorial'
  return { frame, ...systemOf(header, frame), toSky, toPixel }
}

/** Section 8.3 of the standard; before it, RADESYS was RADECSYS. */
function systemOf(header: Header, frame: SkyFrame): { system: string; isIcrs: boolean } {
  if (frame === 'galactic') return { system: 'galactic', isIcrs: false }
  const year = header.number('EQUINOX') ?? header.number('EPOCH')
  const old = year !== undefined && year < 1984
  const named = header.text('RADESYS') ?? header.text('RADECSYS')
  const system = named?.toUpperCase() ?? (year === undefined ? 'ICRS' : old ? 'FK4' : 'FK5')
  return { system, isIcrs: system === 'ICRS' || (system === 'FK5' && (year ?? 2000) === 2000) }
}

function matrixOf(header: Header): Matrix {
  const four = (name: string, diagonal: number): Matrix => [
    header.number(`${name}1_1`) ?? diagonal,
    header.number(`${name}1_2`) ?? 0,
    header.number(`${name}2_1`) ?? 0,
    header.number(`${name}2_2`) ?? diagonal,
  ]
  if (['CD1_1', 'CD1_2', 'CD2_1', 'CD2_2'].some((name) => header.has(name))) return four('CD', 0)
  const [one, two] = [header.number('CDELT1') ?? 1, header.number('CDELT2') ?? 1]
  const turn = (header.number('CROTA2') ?? 0) * RADIANS
  const pc = ['PC1_1', 'PC1_2', 'PC2_1', 'PC2_2'].some((name) => header.has(name))
  if (pc || turn === 0) {
    const [a, b, c, d] = four('PC', 1)
    return [one * a, one * b, two * c, two * d]
  }
  return [one * Math.cos(turn), -two * Math.sin(turn), one * Math.sin(turn), two * Math.cos(turn)]
}

type Reference = { ra0: number; dec0: number; pole: number }

/** Native longitude and distance from the native pole, to the sky (section 2.4, equations 2 and 5). */
function fromNative(longitude: number, distance: number, { ra0, dec0, pole }: Reference): Sky {
  const turn = (longitude - pole) * RADIANS
  const [sinT, cosT] = [Math.cos(distance * RADIANS), Math.sin(distance * RADIANS)]
  const [sinP, cosP] = [Math.sin(dec0 * RADIANS), Math.cos(dec0 * RADIANS)]
  const x = sinT * cosP - cosT * sinP * Math.cos(turn)
  const y = -cosT * Math.sin(turn)
  const z = sinT * sinP + cosT * cosP * Math.cos(turn)
  const ra = (((ra0 + Math.atan2(y, x) / RADIANS) % 360) + 360) % 360
  return { ra, dec: Math.atan2(z, Math.hypot(x, y)) / RADIANS }
}

function toNative({ ra, dec }: Sky, { ra0, dec0, pole }: Reference): { along: number; distance: number } {
  const turn = (ra - ra0) * RADIANS
  const [sinD, cosD] = [Math.sin(dec * RADIANS), Math.cos(dec * RADIANS)]
  const [sinP, cosP] = [Math.sin(dec0 * RADIANS), Math.cos(dec0 * RADIANS)]
  const x = sinD * cosP - cosD * sinP * Math.cos(turn)
  const y = -cosD * Math.sin(turn)
  const z = sinD * sinP + cosD * cosP * Math.cos(turn)
  return { along: pole + Math.atan2(y, x) / RADIANS, distance: Math.atan2(Math.hypot(x, y), z) / RADIANS }
}

type Polynomial = (u: number, v: number) => number

/** Simple Imaging Polynomial (Shupe et al. 2005), from pixels to the sky. */
function readSip(header: Header): { a: Polynomial; b: Polynomial } {
  const polynomial = (name: string): Polynomial => {
    const order = Math.min(9, Math.max(0, header.number(`${name}_ORDER`) ?? 0))
    const terms: [number, number, number][] = []
    for (let p = 0; p <= order; p += 1) {
      for (let q = 0; p + q <= order; q += 1) {
        const factor = header.number(`${name}_${p}_${q}`)
        if (factor !== undefined && factor !== 0) terms.push([p, q, factor])
      }
    }
    return (u, v) => terms.reduce((sum, [p, q, factor]) => sum + factor * u ** p * v ** q, 0)
  }
  return { a: polynomial('A'), b: polynomial('B') }
}

/** Degrees on the sky from the left to the right of a pixel; undefined where the sky ends. */
export function widthOf({ toSky }: Wcs, { x, y }: Pixel): number | undefined {
  const [left, right] = [toSky({ x: x - 0.5, y }), toSky({ x: x + 0.5, y })]
  return left && right && distance(left, right)
}

/** Where north and east are from a pixel, as unit vectors in pixels; undefined where the sky ends. */
export function compass({ toSky, toPixel }: Wcs, at: Pixel): { north: Pixel; east: Pixel } | undefined {
  const sky = toSky(at)
  if (sky === undefined) return undefined
  const step = 1e-4
  const towards = (to: Sky): Pixel | undefined => {
    const pixel = toPixel(to)
    const length = pixel === undefined ? 0 : Math.hypot(pixel.x - at.x, pixel.y - at.y)
    return pixel === undefined || !(length > 0)
      ? undefined
      : { x: (pixel.x - at.x) / length, y: (pixel.y - at.y) / length }
  }
  const north = towards({ ra: sky.ra, dec: sky.dec + step })
  const east = towards({ ra: sky.ra + step / Math.max(1e-6, Math.cos(sky.dec * RADIANS)), dec: sky.dec })
  return north === undefined || east === undefined ? undefined : { north, east }
}
