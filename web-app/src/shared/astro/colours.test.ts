import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { colourMaps, colourTable, type ColourMap } from './colours'

const colour = (map: ColourMap, index: number, invert = false) => [
  ...colourTable(map, invert).subarray(index * 3, index * 3 + 3),
]

describe('colour maps', () => {
  it('are those that the server draws with', () => {
    const api = readFileSync('../openapi/sidereal.json', 'utf8')
    const [told = ''] = /[^"]*`cubehelix`[^"]*/.exec(api) ?? []
    expect([...told.matchAll(/`(\w+)`/g)].map(([, name]) => name)).toEqual([...colourMaps])
  })

  // Of 256 colours the 0th, 32nd, 64th, 100th, 128th, 160th, 192nd, 224th and 255th. Those of the first three as
  // matplotlib 3.10 has them; the helix by Green's definition in single precision.
  it.each([
    ['viridis', '440154 472d7b 3b528b 2a768e 21918c 28ae80 5ec962 addc30 fde725'],
    ['magma', '000004 1d1147 51127c 892881 b73779 e75263 fc8961 fec488 fcfdbf'],
    ['inferno', '000004 210c4a 57106e 902568 bc3754 e45a31 f98e09 f9cb35 fcffa4'],
    ['cubehelix', '000000 1a1d3b 15534b 4e782f a1794a d383a9 c6b4ed cbe7ef ffffff'],
  ] as const)('%s has the colours of its definition', (map, hex) => {
    const indices = [0, 32, 64, 100, 128, 160, 192, 224, 255]
    hex.split(' ').forEach((one, at) => {
      const index = indices[at] ?? 0
      const expected = [0, 2, 4].map((from) => parseInt(one.slice(from, from + 2), 16))
      const far = colour(map, index).map((part, of) => Math.abs(part - (expected[of] ?? NaN)))
      expect(Math.max(...far), `${index}: ${colour(map, index).join()}`).toBeLessThanOrEqual(1)
      expect(colour(map, 255 - index, true)).toEqual(colour(map, index))
    })
  })

  it('red and blue meet in white', () => {
    expect([0, 128, 255].map((index) => colour('rdbu_r', index))).toEqual([
      [0x05, 0x30, 0x61],
      [247, 246, 246],
      [0x67, 0x00, 0x1f],
    ])
  })
})
