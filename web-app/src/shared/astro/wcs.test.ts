import { describe, expect, it } from 'vitest'
import { Header, type CardValue } from './header'
import { compass, readWcs, widthOf, type Wcs } from './wcs'

const headerOf = (values: Record<string, CardValue>) =>
  new Header(Object.entries(values).map(([keyword, value]) => ({ keyword, value, comment: '' })))
const wcsOf = (values: Record<string, CardValue>): Wcs => {
  const wcs = readWcs(headerOf(values))
  if (typeof wcs === 'string') throw new Error(wcs)
  return wcs
}
const tan = { CTYPE1: 'RA---TAN', CTYPE2: 'DEC--TAN' }
const at = (x: number, y: number, ra: number, dec: number) => ({
  CRPIX1: x,
  CRPIX2: y,
  CRVAL1: ra,
  CRVAL2: dec,
})
const sip = {
  ...{ A_ORDER: 2, A_2_0: 3e-5, A_1_1: -1.3e-5, A_0_2: 2e-6 },
  ...{ B_ORDER: 2, B_2_0: -4e-6, B_1_1: 2.1e-5, B_0_2: 1.7e-5 },
}

// WCS(header).all_pix2world(x, y, 1) of astropy 8.0.2 (wcslib), for the pixels (1, 1) and (30.25, 77.5): longitude,
// latitude, whatever the order of the axes.
const cases: [string, Record<string, CardValue>, [number, number], [number, number]][] = [
  [
    'TAN with CD',
    {
      ...tan,
      ...at(50.5, 40.5, 250.4226, 36.4602),
      CD1_1: -2.1e-4,
      CD1_2: 3e-5,
      CD2_1: 2.5e-5,
      CD2_2: 2.2e-4,
    },
    [250.43404991430484, 36.450271953351645],
    [250.42926819464302, 36.467833564481765],
  ],
  [
    'TAN by CDELT and CROTA2, beside the pole',
    { ...tan, ...at(1, 1, 0.01, -89.5), CDELT1: -0.01, CDELT2: 0.012, CROTA2: 30 },
    [0.01, -89.5],
    [328.2074966629231, -88.64841108423036],
  ],
  [
    'ZEA with LONPOLE',
    {
      ...{ CTYPE1: 'RA---ZEA', CTYPE2: 'DEC--ZEA', LONPOLE: 170 },
      ...{ ...at(100, 100, 0, -57.5), CDELT1: -0.2, CDELT2: 0.2 },
    },
    [57.86097501127192, -62.71283002206262],
    [27.135997883327505, -56.56168643200234],
  ],
  [
    'ARC at the pole',
    { CTYPE1: 'RA---ARC', CTYPE2: 'DEC--ARC', ...at(10, 10, 120, 90), CDELT1: -0.1, CDELT2: 0.1 },
    [345.0, 88.72720779386421],
    [136.69924423399362, 82.95279310648537],
  ],
  [
    'SIN, declination first',
    {
      ...{ CTYPE1: 'DEC--SIN', CTYPE2: 'RA---SIN', ...at(10, 20, 12, 83) },
      ...{ CD1_1: 0.001, CD1_2: 0, CD2_1: 0, CD2_2: -0.001 },
    },
    [83.01942382333735, 11.99099933036428],
    [82.94121098670102, 12.02024386717788],
  ],
  [
    'STG, galactic',
    { CTYPE1: 'GLON-STG', CTYPE2: 'GLAT-STG', ...at(10, 20, 359.9, 0.2), CDELT1: -0.05, CDELT2: 0.05 },
    [0.3500053115010928, -0.7499697555728463],
    [358.88670496998253, 3.0741412873386746],
  ],
  [
    'TAN with SIP',
    {
      ...{ CTYPE1: 'RA---TAN-SIP', CTYPE2: 'DEC--TAN-SIP', ...at(128, 128, 202.46, 47.19), ...sip },
      ...{ CD1_1: -3.4e-4, CD1_2: 0, CD2_1: 0, CD2_2: 3.4e-4 },
    },
    [202.5233355866941, 47.14698900541779],
    [202.50877635329698, 47.17285664070778],
  ],
]

describe('coordinates', () => {
  it.each(cases)('%s: as wcslib, and back', (_name, header, first, second) => {
    const wcs = wcsOf(header)
    for (const [pixel, [ra, dec]] of [
      [{ x: 1, y: 1 }, first],
      [{ x: 30.25, y: 77.5 }, second],
    ] as const) {
      const sky = wcs.toSky(pixel)
      // Of a right ascension beside a pole, the angle on the sky counts.
      expect(((sky?.ra ?? NaN) - ra) * Math.cos((dec * Math.PI) / 180)).toBeCloseTo(0, 9)
      expect(sky?.dec).toBeCloseTo(dec, 9)
      const back = sky && wcs.toPixel(sky)
      expect(back?.x).toBeCloseTo(pixel.x, 6)
      expect(back?.y).toBeCloseTo(pixel.y, 6)
    }
  })

  it('puts a star where it is: the middle of its pixel, not its corner', () => {
    const wcs = wcsOf({ ...tan, ...at(17, 33, 10.68458, 41.26917), CDELT1: -0.001, CDELT2: 0.001 })
    expect(wcs.toPixel({ ra: 10.68458, dec: 41.26917 })).toEqual({ x: 17, y: 33 })
  })

  it('knows north and east', () => {
    const wcs = wcsOf({ ...tan, ...at(50, 50, 83.6, 22), CDELT1: -0.001, CDELT2: 0.001, CROTA2: 90 })
    const found = compass(wcs, { x: 50, y: 50 })
    expect(found?.north.x).toBeCloseTo(-1, 5)
    expect(found?.north.y).toBeCloseTo(0, 5)
    expect(found?.east.y).toBeCloseTo(-1, 5)
  })

  it.each([
    [{}, 'ICRS', true],
    [{ RADESYS: 'ICRS    ' }, 'ICRS', true],
    [{ EQUINOX: 2000 }, 'FK5', true],
    [{ RADESYS: 'FK5', EQUINOX: 1975 }, 'FK5', false],
    [{ EQUINOX: 1950 }, 'FK4', false],
    [{ EPOCH: 1950 }, 'FK4', false],
    [{ RADECSYS: 'FK4' }, 'FK4', false],
    [{ CTYPE1: 'GLON-TAN', CTYPE2: 'GLAT-TAN' }, 'galactic', false],
  ])('of %j are %s', (header, system, isIcrs) => {
    expect(wcsOf({ ...tan, ...at(1, 1, 10, 20), ...header })).toMatchObject({ system, isIcrs })
  })

  it('knows how wide a pixel is where it is', () => {
    const oblong = wcsOf({ ...tan, ...at(1, 1, 10, 60), CDELT1: -0.01, CDELT2: 0.03 })
    expect(widthOf(oblong, { x: 1, y: 1 })).toBeCloseTo(0.01, 8)
    // 30 degrees from where a plane touches the sky.
    expect(widthOf(oblong, { x: 1 - Math.tan(Math.PI / 6) * (18_000 / Math.PI), y: 1 })).toBeCloseTo(
      0.0075,
      5,
    )
    const sin = wcsOf({ CTYPE1: 'RA---SIN', CTYPE2: 'DEC--SIN', ...at(1, 1, 0, 0), CDELT1: -1, CDELT2: 1 })
    expect(widthOf(sin, { x: 100, y: 1 })).toBeUndefined()
  })

  it('has nothing beyond the horizon', () => {
    const wcs = wcsOf({ CTYPE1: 'RA---SIN', CTYPE2: 'DEC--SIN', ...at(1, 1, 0, 0), CDELT1: -1, CDELT2: 1 })
    expect(wcs.toSky({ x: 100, y: 1 })).toBeUndefined()
    expect(wcsOf({ ...tan, ...at(1, 1, 0, 0) }).toPixel({ ra: 180, dec: 0 })).toBeUndefined()
  })

  it.each([
    [{}, 'it has no coordinates'],
    [{ CTYPE1: 'RA---CAR', CTYPE2: 'DEC--CAR' }, 'the projection CAR is not read here'],
    [{ CTYPE1: 'FREQ', CTYPE2: 'DEC--TAN' }, 'its axes are FREQ and DEC--TAN'],
    [{ ...tan, CD1_1: 0, CD2_2: 0 }, 'its matrix has no inverse'],
    [{ ...tan, CRVAL2: 100 }, 'its reference is on no sphere'],
    [{ ...tan, PV2_1: 1 }, 'has terms (PV)'],
  ])('of %j says why there are none', (header, reason) => {
    expect(readWcs(headerOf(header))).toContain(reason)
  })
})
