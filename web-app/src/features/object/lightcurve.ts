/** The light curve of a position, as the job has written it (CSV). */

export type Sample = {
  mjd: number | undefined
  band: string
  obs: string
  value: number | undefined
  /** One over the variance; 0 of a pixel that is not to be trusted. */
  weight: number | undefined
  /** Why there is no good value. */
  reason: string
  unit: string
}

/** Rows of cells; cells may be quoted, and a quote in them doubled. */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let cell = ''
  let quoted = false
  const end = () => {
    row.push(cell)
    cell = ''
  }
  for (let at = 0; at < text.length; at += 1) {
    const letter = text.charAt(at)
    if (quoted) {
      if (letter !== '"') cell += letter
      else if (text.charAt(at + 1) === '"') {
        cell += '"'
        at += 1
      } else quoted = false
    } else if (letter === '"') quoted = true
    else if (letter === ',') end()
    else if (letter === '\n') {
      end()
      rows.push(row)
      row = []
    } else if (letter !== '\r') cell += letter
  }
  if (cell !== '' || row.length > 0) {
    end()
    rows.push(row)
  }
  return rows
}

export function readLightCurve(text: string): Sample[] {
  const [head = [], ...rows] = parseCsv(text)
  return rows.map((row) => {
    const at = (name: string) => row[head.indexOf(name)] ?? ''
    const number = (name: string) => {
      const value = at(name) === '' ? NaN : Number(at(name))
      return Number.isFinite(value) ? value : undefined
    }
    return {
      ...{ mjd: number('mjd'), band: at('band'), obs: at('obs'), value: number('value') },
      ...{ weight: number('weight'), reason: at('reason'), unit: at('unit') },
    }
  })
}

/** A time to a tenth of a second; the files have all of its digits. */
export const mjdText = (mjd: number): string => mjd.toFixed(6)

/** What a weight says of a value: its standard deviation; nothing of a weight that says nothing. */
export const errorOf = ({ weight }: Pick<Sample, 'weight'>): number | undefined =>
  weight !== undefined && weight > 0 ? 1 / Math.sqrt(weight) : undefined

type Curve = {
  x: number[]
  /** That of all values; undefined if they differ, and the names of the series tell it. */
  unit: string | undefined
  series: { name: string; values: (number | null)[]; errors: (number | null)[] }[]
  /** What each place of x is of. */
  at: Sample[][]
}

/** What can be drawn: samples with a time, a value, and no flaw; a series for each band. */
export function curveOf(samples: readonly Sample[]): Curve {
  const good = samples.flatMap((sample) =>
    sample.mjd !== undefined && sample.value !== undefined && sample.reason === ''
      ? [{ ...sample, mjd: sample.mjd, value: sample.value }]
      : [],
  )
  good.sort((one, other) => one.mjd - other.mjd)
  // Several of a band at one time stay several places, so that none hides another.
  const x: number[] = []
  const at: (typeof good)[] = []
  for (const sample of good) {
    const last = at.at(-1)
    if (last !== undefined && x.at(-1) === sample.mjd && last.every(({ band }) => band !== sample.band))
      last.push(sample)
    else {
      x.push(sample.mjd)
      at.push([sample])
    }
  }
  const names = [...new Set(good.map(({ band }) => band))].sort(
    new Intl.Collator('en', { numeric: true }).compare,
  )
  const units = (of: readonly Sample[]) => [...new Set(of.map(({ unit }) => unit || 'no unit'))]
  const [unit, ...others] = units(good)
  const series = names.map((band) => {
    const of = at.map((all) => all.find((sample) => sample.band === band))
    const own = units(good.filter((sample) => sample.band === band)).join(' and ')
    return {
      name: (band === '' ? 'no band' : band) + (others.length === 0 ? '' : `, ${own}`),
      values: of.map((sample) => sample?.value ?? null),
      errors: of.map((sample) => (sample && errorOf(sample)) ?? null),
    }
  })
  return { x, unit: others.length === 0 ? unit : undefined, series, at }
}
