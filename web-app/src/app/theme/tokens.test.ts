import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const css = readFileSync('src/app/theme/tokens.css', 'utf8')

/** The declarations of a rule. */
function tokens(selector: string): Map<string, string> {
  const start = css.indexOf(`${selector} {`)
  expect(start, selector).toBeGreaterThanOrEqual(0)
  const body = css.slice(start, css.indexOf('}', start))
  return new Map(
    [...body.matchAll(/(--[\w-]+):\s*([^;]+);/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

const channel = (value: number) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)

type Rgb = [number, number, number]
const rgb = (hex: string): Rgb => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255) as Rgb

const luminance = ([r, g, b]: Rgb) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)

function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (light + 0.05) / (dark + 0.05)
}

/** Only the red is left of a colour below the sheet of the red theme. */
const red = ([r]: Rgb): Rgb => [r, 0, 0]

const themes = [
  ['light', ":root[data-mantine-color-scheme='light']", (colour: Rgb) => colour],
  ['dark', ":root[data-mantine-color-scheme='dark']", (colour: Rgb) => colour],
  ['night', ":root[data-theme='night']", red],
] as const

describe.each(themes)('%s', (_, selector, seen) => {
  const all = tokens(selector)
  const colour = (token: string) => seen(rgb(all.get(token) ?? ''))

  it.each(['--page', '--surface', '--raised', '--sunken', '--nav', '--tint', '--hover'])(
    'text is read on %s',
    (ground) => {
      for (const text of ['--ink', '--dim', '--accent-text', '--good-text', '--bad-text']) {
        expect(contrast(colour(text), colour(ground)), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5)
      }
    },
  )

  it('warnings are read', () => {
    expect(contrast(colour('--warn-text'), colour('--warn-tint'))).toBeGreaterThanOrEqual(4.5)
  })
})

describe('phases', () => {
  const phases = [...css.matchAll(/^\[data-phase='(\w+)'\]/gm)].map(([, phase = '']) => phase)
  it.each(phases)('%s is read on the surfaces of both schemes', (phase) => {
    const start = css.indexOf(`[data-phase='${phase}']`)
    const body = css.slice(start, css.indexOf('}', start))
    const [, light = '', dark = ''] = /--phase-text: light-dark\((#\w+), (#\w+)\)/.exec(body) ?? []
    const [, base = ''] = /--phase: (#\w+)/.exec(body) ?? []
    for (const [index, text] of [light, dark].entries()) {
      const surface = rgb(tokens(themes[index === 0 ? 0 : 1][1]).get('--surface') ?? '')
      // The chip's ground is the surface with some of the phase's colour.
      const ground = surface.map((part, at) => part * 0.87 + (rgb(base)[at] ?? 0) * 0.13) as Rgb
      expect(contrast(rgb(text), ground)).toBeGreaterThanOrEqual(4.5)
    }
  })
})
