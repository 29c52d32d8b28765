import { readFileSync } from 'node:fs'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import * as fits from '@/shared/astro/fits'
import { bigEndian, hdu, image, joined, extension } from '@/shared/astro/testing'
import { fullLook } from './look'
import { Files } from './opened'

vi.mock('@/shared/astro/fits', { spy: true })
beforeEach(() => vi.clearAllMocks())

const values = (plane: number) => [plane, plane + 1, plane + 2, plane + 3]
const cube = hdu(image(-32, [2, 2, 4]), bigEndian(-32, [0, 10, 20, 30].flatMap(values)))
const opened = async (most: number) => {
  const files = new Files(most)
  await files.open('a', new Blob([new Uint8Array(cube)]))
  return (plane: number) => files.value({ key: 'a', hdu: 0, plane }, 1, 1)
}

describe('planes of files', () => {
  it('are kept while there is room, and those used last longest', async () => {
    const value = await opened(8)
    const read: (number | null)[] = []
    for (const plane of [0, 1, 0, 1]) read.push(await value(plane))
    expect(read).toEqual([3, 13, 3, 13])
    expect(fits.readPlane).toHaveBeenCalledTimes(2)
    await value(0)
    await value(2)
    expect(await value(0)).toBe(3)
    expect(fits.readPlane).toHaveBeenCalledTimes(3)
    await value(1)
    expect(fits.readPlane).toHaveBeenCalledTimes(4)
  })

  it('are read once for all who ask meanwhile, and let go of when the file is closed meanwhile', async () => {
    const value = await opened(8)
    expect(await Promise.all([value(0), value(0), value(1)])).toEqual([3, 3, 13])
    expect(fits.readPlane).toHaveBeenCalledTimes(2)
    const files = new Files()
    await files.open('a', new Blob([new Uint8Array(cube)]))
    const asked = files.value({ key: 'a', hdu: 0, plane: 0 }, 0, 0)
    files.close('a')
    expect(await asked).toBe(0)
    await expect(files.value({ key: 'a', hdu: 0, plane: 0 }, 0, 0)).rejects.toThrow('no HDU 0')
  })

  it('of tiles are given up when the file is closed, and read for one who opens it again', async () => {
    const packed = new Blob([new Uint8Array(readFileSync('src/shared/astro/testdata/tiles.fits.gz'))])
    const target = { key: 'a', hdu: 1, plane: 0 }
    const files = new Files()
    await files.open('a', packed)
    const given = expect(files.value(target, 0, 0)).rejects.toThrow('has been closed')
    files.close('a')
    await files.open('a', packed)
    expect(await files.value(target, 0, 0)).toBeTypeOf('number')
    await given
  })

  it('are read also when one is more than there is room for', async () => {
    const value = await opened(1)
    expect([await value(3), await value(0)]).toEqual([33, 3])
  })

  it('are drawn by the limits of the look, of the HDU that is asked for', async () => {
    const files = new Files()
    const bytes = joined(hdu(image(8, [])), hdu(extension(8, [2, 1]), bigEndian(8, [1, 2])), cube)
    await files.open('b', new Blob([new Uint8Array(bytes)]))
    await expect(files.draw({ key: 'b', hdu: 1, plane: 0 }, fullLook({}, ''))).rejects.toThrow('single axis')
    await expect(files.draw({ key: 'b', hdu: 7, plane: 0 }, fullLook({}, ''))).rejects.toThrow('no HDU 7')
    files.close('b')
    await expect(files.draw({ key: 'b', hdu: 1, plane: 0 }, fullLook({}, ''))).rejects.toThrow('no HDU 1')
  })
})
