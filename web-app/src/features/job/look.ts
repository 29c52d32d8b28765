/** How the pictures of a job are drawn and in which order; a part of the page's address. */
export type Look = {
  stretch?: string | undefined
  /** The same values for all, as the parameter CUTS has them; each by its own pixels without it. */
  range?: string | undefined
  order?: Order | undefined
  size?: PictureSize | undefined
}

export const stretches = ['linear', 'sqrt', 'log', 'asinh'] as const
export const orders = ['name', 'band', 'ra', 'dec'] as const
export type Order = (typeof orders)[number]
export const sizes = ['s', 'l'] as const
export type PictureSize = (typeof sizes)[number]

/** Least and greatest value, such as `-5,20`. */
const NUMBER = '[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?'
const RANGE = new RegExp(`^\\s*(${NUMBER})\\s*,\\s*(${NUMBER})\\s*$`, 'i')

/** A range as it is asked of the server; nothing if it is none. */
export function rangeOf(text: string): string | undefined {
  const [, low, high] = RANGE.exec(text) ?? []
  return low === undefined || high === undefined || Number(low) >= Number(high) ? undefined : `${low},${high}`
}
