import { describe, expect, it } from 'vitest'
import { colourPictures, inFileNames, isPicture, reasonWords, resultPath, shownUrl } from './results'

describe('reasons', () => {
  it('are told in words, also those that are not known', () => {
    expect(reasonWords('zero_weight')).toBe('No pixel with a weight')
    expect(reasonWords('of_another_release')).toBe('of_another_release')
    expect(reasonWords(null)).toBe('No reason given')
  })

  it('are text whatever a log or a file names', () => {
    for (const name of ['__proto__', 'constructor', 'toString']) expect(reasonWords(name)).toBe(name)
  })
})

it('keeps an address in its job', () => {
  expect(resultPath({ service: 'cutout', jobId: '../../v1' }, 'a/b.fits')).toBe(
    '/api/cutout/async/..%2F..%2Fv1/results/a%2Fb.fits',
  )
})

it('finds the colour pictures among the files of a job', () => {
  const files = [
    'M13_90GHz.fits',
    'M13_90GHz.png',
    'M13_rgb.png',
    'M13_rgb_2.png',
    '_rgb.png',
    'a_rgb_rgb.png',
  ]
  expect(colourPictures(files.map((id) => ({ id })))).toEqual([
    { file: 'M13_rgb.png', of: 'M13' },
    { file: 'M13_rgb_2.png', of: 'M13' },
    { file: 'a_rgb_rgb.png', of: 'a_rgb' },
  ])
  expect(inFileNames('.M 13/α')).toBe('_M_13__')
})

it('asks nobody to draw what is a picture', () => {
  const job = { service: 'cutout', jobId: 'x' }
  expect(['a.png', 'a.JPEG', 'a.fits', 'png'].map(isPicture)).toEqual([true, true, false, false])
  expect(shownUrl(job, 'a.png', 120, 'log')).toBe('/api/cutout/async/x/results/a.png')
  expect(shownUrl(job, 'a.fits.fz', 120, 'log')).toBe(
    '/api/v1/jobs/x/results/a.fits.fz/preview?SIDE=120&STRETCH=log',
  )
})
