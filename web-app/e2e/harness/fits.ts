/** Small images of a made-up sky with stars whose places and fluxes are known. */

/** Degrees, ICRS; `flux` at the middle pixel, above a background of 0. */
export type Star = { name: string; ra: number; dec: number; flux: number }

export type Image = {
  /** Of the middle of the image, degrees. */
  ra: number
  dec: number
  /** Pixels of a side, and degrees of a pixel. */
  side: number
  scale: number
  band: string
  obs: string
  /** ISO 8601, the day of the observation. */
  day: string
  stars: readonly Star[]
}

const BLOCK = 2880
const DEGREE = Math.PI / 180

/** Pixel (from 0) of a position by the image's gnomonic projection (FITS WCS paper II, section 5.1.3). */
export function pixelOf({ ra, dec, side, scale }: Image, at: { ra: number; dec: number }): [number, number] {
  const [a, d, a0, d0] = [at.ra * DEGREE, at.dec * DEGREE, ra * DEGREE, dec * DEGREE]
  const cosine = Math.sin(d0) * Math.sin(d) + Math.cos(d0) * Math.cos(d) * Math.cos(a - a0)
  const xi = (Math.cos(d) * Math.sin(a - a0)) / cosine / DEGREE
  const eta = (Math.cos(d0) * Math.sin(d) - Math.sin(d0) * Math.cos(d) * Math.cos(a - a0)) / cosine / DEGREE
  return [(side - 1) / 2 - xi / scale, (side - 1) / 2 + eta / scale]
}

/**
 * The file: one image of 32-bit reals with a TAN projection, north up and east left. `value` is of a pixel (from 0)
 * what is there instead of stars.
 */
export function fits(image: Image, value?: (x: number, y: number) => number): Buffer {
  const { ra, dec, side, scale, band, obs, day, stars } = image
  const header = [
    card('SIMPLE', true),
    card('BITPIX', -32),
    card('NAXIS', 2),
    card('NAXIS1', side),
    card('NAXIS2', side),
    card('CTYPE1', 'RA---TAN'),
    card('CTYPE2', 'DEC--TAN'),
    card('CUNIT1', 'deg'),
    card('CUNIT2', 'deg'),
    card('CRPIX1', (side + 1) / 2),
    card('CRPIX2', (side + 1) / 2),
    card('CRVAL1', ra),
    card('CRVAL2', dec),
    card('CDELT1', -scale),
    card('CDELT2', scale),
    card('RADESYS', 'ICRS'),
    card('BUNIT', 'Jy'),
    card('BAND', band),
    card('OBS-ID', obs),
    card('DATE-BEG', `${day}T00:00:00`),
    card('DATE-END', `${day}T01:00:00`),
    'END'.padEnd(80),
  ].join('')
  const places = stars.map((star) => ({ at: pixelOf(image, star), flux: star.flux }))
  const pixels = Buffer.alloc(side * side * 4)
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      let sum = noise(x, y)
      for (const { at, flux } of places) {
        const away = (x - at[0]) ** 2 + (y - at[1]) ** 2
        if (away < 200) sum += flux * Math.exp(-away / (2 * 1.8 ** 2))
      }
      pixels.writeFloatBE(value?.(x, y) ?? sum, (y * side + x) * 4)
    }
  }
  return Buffer.concat([padded(Buffer.from(header, 'ascii'), 0x20), padded(pixels, 0)])
}

/** Between -1 and 1, always the same for a pixel. */
const noise = (x: number, y: number) => (((x * 73_856_093) ^ (y * 19_349_663)) % 1_000) / 1_000

function card(name: string, value: string | number | boolean): string {
  const text =
    typeof value === 'string' ? `'${value.padEnd(8)}'` : (value === true ? 'T' : String(value)).padStart(20)
  return `${name.padEnd(8)}= ${text}`.padEnd(80)
}

function padded(data: Buffer, by: number): Buffer {
  return Buffer.concat([data, Buffer.alloc((BLOCK - (data.length % BLOCK)) % BLOCK, by)])
}
