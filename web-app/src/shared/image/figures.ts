/** Values of images as text. */
import type { Limits } from '@/shared/astro/stretch'

const minus = (text: string) => text.replace('-', '−')

/** Six figures without zeros that say nothing; of whole numbers, such as flags and counts, each figure. */
export function significant(value: number): string {
  const size = Math.abs(value)
  if (Number.isInteger(value) && size < 1e12) return minus(String(value))
  if (size < 1e-4 || size >= 1e7) return minus(value.toExponential(5))
  return minus(String(Number(value.toPrecision(6))))
}

/** Limits to be typed over: six figures, or as many as tell one from the other. */
export function limitTexts({ low, high }: Limits): { low: string; high: string } {
  const text = (value: number, figures: number) => String(Number(value.toPrecision(figures)))
  const figures =
    [6, 9, 12, 17].find((one) => low === high || Number(text(low, one)) < Number(text(high, one))) ?? 17
  return { low: text(low, figures), high: text(high, figures) }
}
