import { expect, it } from 'vitest'
import { textOf } from './encoding'

const list = 'RA,DEC,OBJID\n1,2,Röntgen\n'
const units = Array.from(list, (char) => char.charCodeAt(0))

it.each([
  ['UTF-8', [...new TextEncoder().encode(list)]],
  ['UTF-8 with its mark', [0xef, 0xbb, 0xbf, ...new TextEncoder().encode(list)]],
  ['UTF-16 of Windows', [0xff, 0xfe, ...units.flatMap((unit) => [unit & 255, unit >> 8])]],
  ['UTF-16 the other way', [0xfe, 0xff, ...units.flatMap((unit) => [unit >> 8, unit & 255])]],
  ['Latin-1', units],
])('reads %s', async (_, bytes) => {
  expect(await textOf(new Blob([new Uint8Array(bytes)]))).toBe(list)
})
