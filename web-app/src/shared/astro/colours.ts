/** Colour maps: the names and the colours are those that the server draws with. */

export const colourMaps = ['grey', 'viridis', 'magma', 'inferno', 'cubehelix', 'rdbu_r'] as const
export type ColourMap = (typeof colourMaps)[number]

/*
 * Viridis, magma and inferno are those of matplotlib (CC0), every fifth of their 256 colours, which is within 1 of each
 * between them; red and blue are those of ColorBrewer.
 */
const anchors: Record<Exclude<ColourMap, 'cubehelix'>, string> = {
  grey: '000000 ffffff',
  viridis: [
    '440154 46085c 471063 481769 481d6f 482475 472a7a 46307e 453781 433d84 414287 3f4889 3d4e8a',
    '3a538b 38598c 355e8d 33638d 31688e 2e6d8e 2c718e 2a768e 297b8e 27808e 25848e 23898e 218e8d',
    '20928c 1f978b 1e9c89 1fa188 21a585 24aa83 28ae80 2eb37c 35b779 3dbc74 46c06f 50c46a 5ac864',
    '65cb5e 70cf57 7cd250 89d548 95d840 a2da37 b0dd2f bddf26 cae11f d8e219 e5e419 f1e51d fde725',
  ].join(' '),
  magma: [
    '000004 02020b 050416 090720 0e0b2b 140e36 1a1042 21114e 29115a 311165 390f6e 420f75 4a1079',
    '52137c 5a167e 621980 6a1c81 721f81 792282 812581 892881 912b81 992d80 a1307e aa337d b2357b',
    'ba3878 c23b75 ca3e72 d2426f d9466b e04c67 e75263 ec5860 f1605d f4695c f7725c f97b5d fb8560',
    'fc8e64 fd9869 fea16e feaa74 feb47b febd82 fec68a fecf92 fed89a fde2a3 fdebac fcf4b6 fcfdbf',
  ].join(' '),
  inferno: [
    '000004 02020c 050417 0a0722 10092d 160b39 1e0c45 260c51 2f0a5b 380962 400a67 490b6a 510e6c',
    '59106e 61136e 69166e 71196e 781c6d 801f6c 88226a 902568 982766 a02a63 a82e5f b0315b b73557',
    'bf3952 c63d4d cc4248 d34743 d94d3d df5337 e45a31 e9612b ed6925 f1711f f47918 f78212 f98b0b',
    'fa9407 fb9d07 fca60c fcb014 fbba1f fac42a f8cd37 f6d746 f4e156 f2ea69 f2f27d f5f992 fcffa4',
  ].join(' '),
  rdbu_r: '053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f',
}

type Colour = readonly [red: number, green: number, blue: number]

/** Green's helix (Bulletin of the Astronomical Society of India 39, 289): start 0.5, rotations -1.5, hue 1, gamma 1. */
function cubehelix(share: number): Colour {
  const angle = 2 * Math.PI * (0.5 / 3 + 1 - 1.5 * share)
  const away = (share * (1 - share)) / 2
  const [cosine, sine] = [Math.cos(angle) * away, Math.sin(angle) * away]
  const part = (value: number) => Math.trunc(255 * Math.min(1, Math.max(0, share + value)))
  return [
    part(-0.14861 * cosine + 1.78277 * sine),
    part(-0.29227 * cosine - 0.90649 * sine),
    part(1.97294 * cosine),
  ]
}

function between(stops: readonly Colour[], share: number): Colour {
  const at = share * (stops.length - 1)
  const left = Math.min(Math.floor(at), stops.length - 2)
  const [from = [0, 0, 0], to = [0, 0, 0]] = stops.slice(left, left + 2)
  const part = (of: 0 | 1 | 2) => Math.round(from[of] + (to[of] - from[of]) * (at - left))
  return [part(0), part(1), part(2)]
}

const parsed = (hex: string): Colour => {
  const part = (at: number) => parseInt(hex.slice(at, at + 2), 16)
  return [part(0), part(2), part(4)]
}

/** 256 colours, red, green and blue each. */
export function colourTable(map: ColourMap, invert = false): Uint8Array {
  const stops = map === 'cubehelix' ? [] : anchors[map].split(' ').map(parsed)
  const table = new Uint8Array(256 * 3)
  for (let index = 0; index < 256; index += 1) {
    const share = (invert ? 255 - index : index) / 255
    table.set(map === 'cubehelix' ? cubehelix(share) : between(stops, share), index * 3)
  }
  return table
}
