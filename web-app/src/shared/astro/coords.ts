/** Positions on the sky: as people write them, and as they are drawn. ICRS degrees throughout. */

export type Position = { ra: number; dec: number }

export type Angle = { degrees: number; sexagesimal: boolean }

/** A right ascension, in degrees or in hours, minutes and seconds, read as the server does; a text says why it is none. */
export function parseRa(text: string): Angle | string {
  const angle = parseAngle(text, 15)
  if (angle === undefined) return `RA “${text}” is neither degrees nor h m s`
  if (angle.degrees < 0 || angle.degrees > 360) return `RA ${text} is not within 0 and 360°`
  return angle
}

/** A declination: degrees, or degrees, minutes and seconds of arc. */
export function parseDec(text: string): Angle | string {
  const angle = parseAngle(text, 1)
  if (angle === undefined) return `Dec “${text}” is neither degrees nor d m s`
  if (Math.abs(angle.degrees) > 90) return `Dec ${text} is not within −90 and 90°`
  return angle
}

function parseAngle(text: string, unit: number): Angle | undefined {
  const trimmed = text.trim().replaceAll('−', '-')
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed))
    return { degrees: Number(trimmed), sexagesimal: false }
  const { fields, letter } = fieldsOf(trimmed.replace(/^[+-]\s*/, ''))
  // A declination is never in hours; a right ascension with the sign of degrees is not in hours either.
  if (letter === 'h' && unit === 1) return undefined
  const last = fields.length - 1
  if (last < 1 || last > 2) return undefined
  if (!fields.every((field, at) => (at === last ? /^\d+(\.\d*)?$/ : /^\d{1,3}$/).test(field)))
    return undefined
  const [whole = 0, minutes = 0, seconds = 0] = fields.map(Number)
  if (minutes >= 60 || seconds >= 60) return undefined
  const value = (whole + minutes / 60 + seconds / 3600) * (letter === undefined || letter === 'h' ? unit : 1)
  return { degrees: trimmed.startsWith('-') ? -value : value, sexagesimal: true }
}

const LETTERS = /^(\d{1,3})\s*([hd°])\s*(?:([\d.]+)\s*(?:[m'′]\s*(?:([\d.]+)\s*[s"″]?)?)?)?$/i

/** The two or three numbers of an angle, and the letter that says what the first counts. */
function fieldsOf(text: string): { fields: string[]; letter?: string } {
  if (text.includes(':')) return { fields: text.split(':').map((field) => field.trim()) }
  const match = LETTERS.exec(text)
  if (match === null) return { fields: text.split(/\s+/) }
  const [, whole = '', letter = '', minutes = '0', seconds] = match
  const fields = seconds === undefined ? [whole, minutes] : [whole, minutes, seconds]
  return { fields, letter: letter.toLowerCase() }
}

const split = (value: number, digits: number): [number, number, string] => {
  const scale = 10 ** digits
  const total = Math.round(value * 3600 * scale)
  const seconds = (total % (60 * scale)) / scale
  const minutes = Math.floor(total / (60 * scale)) % 60
  const width = digits === 0 ? 2 : 3 + digits
  return [Math.floor(total / (3600 * scale)), minutes, seconds.toFixed(digits).padStart(width, '0')]
}

const two = (value: number) => String(value).padStart(2, '0')

/** `16h 41m 41.42s` */
export function formatRa(degrees: number): string {
  const [hours, minutes, seconds] = split((((degrees % 360) + 360) % 360) / 15, 2)
  return `${two(hours % 24)}h ${two(minutes)}m ${seconds}s`
}

/** `250.422600`: below 360 also when it is rounded. */
export function longitude(degrees: number, digits: number): string {
  const text = degrees.toFixed(digits)
  return Number(text) >= 360 ? (0).toFixed(digits) : text
}

/** `+36° 27′ 36.7″` */
export function formatDec(degrees: number): string {
  const [whole, minutes, seconds] = split(Math.abs(degrees), 1)
  return `${degrees < 0 ? '−' : '+'}${two(whole)}° ${two(minutes)}′ ${seconds}″`
}

const RADIANS = Math.PI / 180

/* Planes: x to the west, y to the north, as on the sky, with east at the left. */

/** Gnomonic about a middle, degrees; nothing beyond the horizon. */
export function gnomonic(middle: Position): (position: Position) => [number, number] | undefined {
  const sin0 = Math.sin(middle.dec * RADIANS)
  const cos0 = Math.cos(middle.dec * RADIANS)
  return ({ ra, dec }) => {
    const along = (ra - middle.ra) * RADIANS
    const sin = Math.sin(dec * RADIANS)
    const cos = Math.cos(dec * RADIANS)
    const depth = sin0 * sin + cos0 * cos * Math.cos(along)
    if (depth < 0.05) return undefined
    const x = (cos * Math.sin(along)) / depth
    const y = (cos0 * sin - sin0 * cos * Math.cos(along)) / depth
    return [-x / RADIANS, y / RADIANS]
  }
}

/** Aitoff about a right ascension, degrees: the whole sky in an ellipse of 360 by 180. */
export function aitoff(middleRa: number): (position: Position) => [number, number] {
  return ({ ra, dec }) => {
    const along = ((((ra - middleRa + 180) % 360) + 360) % 360) - 180
    const half = (along / 2) * RADIANS
    const latitude = dec * RADIANS
    const alpha = Math.acos(Math.min(1, Math.cos(latitude) * Math.cos(half)))
    const sinc = alpha < 1e-9 ? 1 : Math.sin(alpha) / alpha
    return [(-2 * Math.cos(latitude) * Math.sin(half)) / sinc / RADIANS, Math.sin(latitude) / sinc / RADIANS]
  }
}

/** Middle of positions on the sphere, and the greatest distance from it, degrees. */
export function circleAround(
  positions: Iterable<Position>,
): { middle: Position; radius: number } | undefined {
  let x = 0
  let y = 0
  let z = 0
  const all = [...positions]
  for (const { ra, dec } of all) {
    x += Math.cos(dec * RADIANS) * Math.cos(ra * RADIANS)
    y += Math.cos(dec * RADIANS) * Math.sin(ra * RADIANS)
    z += Math.sin(dec * RADIANS)
  }
  if (all.length === 0) return undefined
  const length = Math.hypot(x, y, z)
  // Spread over the whole sky, they have no middle.
  if (length / all.length < 1e-6) return { middle: { ra: 0, dec: 0 }, radius: 180 }
  const ra = (Math.atan2(y, x) / RADIANS + 360) % 360
  const middle = { ra, dec: Math.asin(z / length) / RADIANS }
  let radius = 0
  for (const position of all) radius = Math.max(radius, distance(middle, position))
  return { middle, radius }
}

/** Angle between two positions, degrees. */
export function distance(a: Position, b: Position): number {
  const sinDec = Math.sin(((b.dec - a.dec) * RADIANS) / 2)
  const sinRa = Math.sin(((b.ra - a.ra) * RADIANS) / 2)
  const h = sinDec ** 2 + Math.cos(a.dec * RADIANS) * Math.cos(b.dec * RADIANS) * sinRa ** 2
  return (2 * Math.asin(Math.min(1, Math.sqrt(h)))) / RADIANS
}
