/** Whole numbers that stand for reals, back to reals (FITS 4.0, section 10.2 and appendix I). */

/** How they were dithered: not at all, or by either of the standard's ways. */
export type Dither = 0 | 1 | 2

export type Quantised = {
  scale: number
  zero: number
  /** The number that stands for no value. */
  blank: number | undefined
  dither: Dither
  /** Which number of the random ones a tile begins from: its row (from 0) and ZDITHER0 tell. */
  seed: number
}

const MANY = 10_000
let made: Float32Array | undefined

/** The standard's sequence of random numbers (appendix I), the same for everybody. */
export function randoms(): Float32Array {
  if (made !== undefined) return made
  made = new Float32Array(MANY)
  let seed = 1
  for (let index = 0; index < MANY; index += 1) {
    seed = (seed * 16_807) % 2_147_483_647
    made[index] = seed / 2_147_483_647
  }
  return made
}

/** Where the sequence begins for a tile. */
export const seedOf = (row: number, zdither0: number) => (((row + zdither0 - 1) % MANY) + MANY) % MANY

/** Of the second way of dithering: what stands for exactly 0. */
const ZERO = -2_147_483_646

export function unquantised(
  numbers: ArrayLike<number>,
  { scale, zero, blank, dither, seed }: Quantised,
): Float64Array {
  const random = randoms()
  const values = new Float64Array(numbers.length)
  const begun = (at: number) => Math.trunc((random[at] ?? 0) * 500)
  let start = seed
  let next = begun(start)
  for (let index = 0; index < values.length; index += 1) {
    const number = numbers[index] ?? 0
    if (number === blank) values[index] = NaN
    else if (dither === 0) values[index] = number * scale + zero
    else if (dither === 2 && number === ZERO) values[index] = 0
    else values[index] = (number - (random[next] ?? 0) + 0.5) * scale + zero
    next += 1
    if (next === MANY) {
      start = (start + 1) % MANY
      next = begun(start)
    }
  }
  return values
}
