import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fits, type Image, type Star } from './fits.ts'

/** The field that all images of the tests show: 8.5 arcmin around RA 150°, Dec +2.2°. */
export const stars: readonly Star[] = [
  { name: 'alpha', ra: 150, dec: 2.2, flux: 900 },
  { name: 'beta', ra: 150.03, dec: 2.21, flux: 500 },
  { name: 'gamma', ra: 149.97, dec: 2.18, flux: 300 },
  { name: 'delta', ra: 150.02, dec: 2.17, flux: 200 },
  { name: 'epsilon', ra: 149.98, dec: 2.23, flux: 150 },
]

/** On no image. */
export const nowhere = { name: 'nowhere', ra: 10, dec: -60 }

const field = { ra: 150, dec: 2.2, side: 256, scale: 2 / 3600 }
export const bands = ['90GHz', '150GHz'] as const
export const days = ['2026-01-10', '2026-02-10', '2026-03-10'] as const

/** Each star is brighter by a tenth each day, and twice as bright in the second band. */
export const images: readonly (Image & { file: string })[] = bands.flatMap((band, atBand) =>
  days.map((day, atDay) => ({
    ...field,
    band,
    obs: `obs${atDay + 1}`,
    day,
    stars: stars.map((star) => ({ ...star, flux: star.flux * (1 + atBand) * (1 + atDay / 10) })),
    file: `field_${band}_obs${atDay + 1}.fits`,
  })),
)

/** An image of the field that differs in this. */
export const imageOf = (changes: Partial<Image>, value?: (x: number, y: number) => number): Buffer =>
  fits({ ...field, band: '90GHz', obs: 'obs1', day: '2026-01-10', stars, ...changes }, value)

/** Writes the images into a folder. */
export async function writeImages(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all(images.map((image) => writeFile(join(folder, image.file), fits(image))))
}

type Position = { name: string; ra: number; dec: number }

/** A list of positions as the form and the service take it. */
export const listOf = (positions: readonly Position[]) =>
  ['RA,DEC,OBJID', ...positions.map(({ ra, dec, name }) => `${ra},${dec},${name}`), ''].join('\n')
