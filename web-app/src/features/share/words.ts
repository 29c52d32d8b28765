import { reasonWords, type Manifest } from '@/shared/api/results'
import { parseList } from '@/shared/astro/positions'
import { count, plain, plural } from '@/shared/lib/format'
import type { SharedJob } from './api'

type Parameter = SharedJob['parameters'][number]

/** What was asked for by one name, as people say it. */
export type Asked = {
  name: string
  title: string
  /** Short enough to be read at once; otherwise `long` is folded. */
  value: string
  long?: string
  /** It is a file at an address of its own. */
  isFile?: boolean
}

/** Names of parameters in words. Of others the service tells what they mean. */
const titles = new Map([
  ['POSITIONS', 'Positions'],
  ['SIZE', 'Size of the cutouts'],
  ['COLLECTION', 'Collections'],
  ['ID', 'Images'],
  ['CIRCLE', 'Circles'],
  ['POLYGON', 'Polygons'],
  ['POS', 'Shapes'],
  ['BAND', 'Wavelengths in m'],
  ['TIME', 'Times (MJD)'],
  ['POL', 'Polarization'],
  ['BANDS', 'Bands'],
  ['TYPES', 'Types of product'],
  ['TAGS', 'Observations'],
  ['DATES', 'Observed'],
  ['HDUS', 'HDUs'],
  ['EDGE', 'At the edge of an image'],
  ['FORMAT', 'Format'],
  ['RESPONSEFORMAT', 'Format'],
  ['PREVIEW', 'Pictures beside the files'],
  ['RGB', 'Bands of the colour picture'],
  ['CUTS', 'Range of the pictures'],
  ['STRETCH', 'Stretch of the pictures'],
  ['CMAP', 'Colours of the pictures'],
  ['INVERT', 'Colours turned around'],
  ['SIDE', 'Longest side of the pictures'],
  ['LIGHTCURVE', 'Light curves'],
])

const edges = new Map([
  ['trim', 'trimmed'],
  ['pad', 'padded'],
  ['strict', 'refused'],
])

const LONG = 200

/** What a job asks for, each name once, in the order in which it was asked. */
export function askedFor(parameters: readonly Parameter[]): Asked[] {
  const byName = new Map<string, Parameter[]>()
  for (const one of parameters) byName.set(one.id, [...(byName.get(one.id) ?? []), one])
  return [...byName].map(([name, all]) => {
    const title = titles.get(name) ?? name
    if (all.some(({ byReference }) => byReference)) return { name, title, value: 'a file', isFile: true }
    const values = all.map(({ value }) => value)
    if (name === 'POSITIONS') {
      return { name, title, value: listWords(values), long: values.join('\n') }
    }
    const value = values.map((one) => valueWords(name, one)).join(', ')
    return value.length > LONG || value.includes('\n')
      ? { name, title, value: plural(values.join('\n').trimEnd().split('\n').length, 'line'), long: value }
      : { name, title, value: plain(value) }
  })
}

/** One that cannot be read is not counted. */
function listWords(texts: readonly string[]): string {
  const lists = texts.map((text) => parseList(text))
  if (lists.some(({ fault }) => fault !== undefined)) return 'a list'
  return plural(
    lists.reduce((sum, { rows }) => sum + rows.length, 0),
    'position',
  )
}

function valueWords(name: string, value: string): string {
  switch (name) {
    case 'SIZE':
      return sizeWords(value)
    case 'EDGE':
      return edges.get(value.toLowerCase()) ?? value
    case 'PREVIEW':
    case 'INVERT':
    case 'LIGHTCURVE':
      return { true: 'yes', false: 'no' }[value.toLowerCase()] ?? value
    case 'SIDE':
      return `${value} pixels`
    case 'RGB':
      return value.split(',').join(', ')
    default:
      return value
  }
}

/** `2`, `2,3`, `30arcsec` and `100,200px`: without a unit arcminutes. */
function sizeWords(value: string): string {
  const [, numbers = '', unit] = /^\s*([-+.\d,eE\s]+?)\s*(arcsec|arcmin|deg|px)?\s*$/.exec(value) ?? []
  if (numbers === '') return value
  const sides = numbers.split(',').map((side) => side.trim())
  return `${sides.join(' × ')} ${unit === 'px' ? 'pixels' : (unit ?? 'arcmin')}`
}

/** What became of a job's rows: how many, and why others are not there, most of them first. */
export function outcomeOf({ counts, rows }: Manifest): { made: string; failed?: string; why: string[] } {
  const reasons = new Map<string, number>()
  for (const { status, reason } of rows) {
    if (status !== 'failed') continue
    const words = reasonWords(reason)
    reasons.set(words, (reasons.get(words) ?? 0) + 1)
  }
  const why = [...reasons].sort(([, one], [, other]) => other - one)
  return {
    made: plural(counts.ok, 'cutout'),
    ...(counts.failed === 0 ? {} : { failed: `${count(counts.failed)} failed` }),
    why: why.map(([words, number]) => `${words}: ${count(number)}`),
  }
}
