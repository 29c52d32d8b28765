import { parseCuts, rules } from '@/shared/astro/limits'

/**
 * What an address keeps while one HDU after another is looked at. Stretch and colours are those of the whole file; limits
 * are of the HDU that they were chosen for, since numbers of an image mean nothing for its weights.
 */
export type Kept = {
  plane?: number | undefined
  cuts?: string | undefined
  /** Limits of the HDUs that are not looked at now: `0:zscale;2:0,255`. */
  others?: string | undefined
}

/** Of more HDUs nothing is kept: addresses have an end. */
const MOST = 40

/** Limits by HDU; what is none is left out. */
export function readOthers(text: string | undefined): Map<number, string> {
  const limits = new Map<number, string>()
  for (const [, hdu, cuts = ''] of (text ?? '').matchAll(/(?:^|;)(\d{1,4}):([^;]*)/g))
    if (parseCuts(cuts) !== undefined) limits.set(Number(hdu), cuts)
  return limits
}

/** The search parameters of another HDU of the file: with its own limits, or the rule that the one before was drawn by. */
export function atHdu(search: Kept, from: number, to: number): Kept & { hdu: number } {
  const { cuts } = search
  const limits = readOthers(search.others)
  limits.delete(from)
  if (cuts !== undefined) limits.set(from, cuts)
  const own = limits.get(to)
  limits.delete(to)
  const rule = rules.some((one) => one === cuts) ? cuts : undefined
  const others = [...limits].slice(-MOST).map(([hdu, one]) => `${hdu}:${one}`)
  return {
    hdu: to,
    plane: undefined,
    cuts: own ?? rule,
    others: others.length === 0 ? undefined : others.join(';'),
  }
}
