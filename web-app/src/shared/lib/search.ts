import * as z from 'zod/mini'

/**
 * The state of a page in its address, as plain as people write it: `?phase=ERROR&phase=ABORTED&q=m13`. All values
 * are text until a route's schema has read them; what a schema cannot read is left out, and never fails a page.
 */
export function parseSearch(text: string): Record<string, string | string[]> {
  const read: Record<string, string | string[]> = {}
  const search = new URLSearchParams(text)
  for (const name of new Set(search.keys())) {
    const values = search.getAll(name)
    read[name] = values.length === 1 ? (values[0] ?? '') : values
  }
  return read
}

export function stringifySearch(values: Record<string, unknown>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof one === 'string' && one !== '') search.append(name, one)
      else if (typeof one === 'number' || one === true) search.append(name, String(one))
    }
  }
  const text = search.toString()
  return text === '' ? '' : `?${text}`
}

const list = z.transform((value: unknown) =>
  value === undefined ? undefined : Array.isArray(value) ? value : [value],
)

/** Several of these words. */
export const manyOf = <const T extends string>(words: readonly T[]) =>
  z.catch(z.pipe(list, z.optional(z.array(z.enum(words)))), undefined)

/** Several texts. */
export const texts = z.catch(z.pipe(list, z.optional(z.array(z.string()))), undefined)

export const text = z.catch(z.optional(z.string()), undefined)

export const oneOf = <const T extends string>(words: readonly T[]) =>
  z.catch(z.optional(z.enum(words)), undefined)

const wholeFrom = (least: number) =>
  z.catch(
    z.pipe(
      z.transform((value: unknown) => (value === undefined ? undefined : Number(value))),
      z.optional(z.int().check(z.minimum(least))),
    ),
    undefined,
  )

/** A whole number, one at least. */
export const ordinal = wholeFrom(1)

/** A whole number, zero at least. */
export const count = wholeFrom(0)

export const flag = z.catch(
  z.pipe(
    z.transform((value: unknown) => (value === true || value === 'true' ? (true as const) : undefined)),
    z.optional(z.literal(true)),
  ),
  undefined,
)

/** How a route reads its search by a schema: the same shape goes in and out. */
export const reads =
  <Schema extends z.ZodMiniObject>(schema: Schema) =>
  (raw: Record<string, unknown>): z.output<Schema> =>
    schema.parse(raw)
