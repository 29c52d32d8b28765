import { describe, expect, it } from 'vitest'
import { resultAddress } from './source'

const origin = 'https://sky.example'
const path = '/api/cutout/async/0193-ab/results/M%2031_90GHz.fits'

describe('what the viewer opens', () => {
  it.each([
    [path, ''],
    [origin + path, ''],
    [`/sidereal${path}`, '/sidereal'],
    [`${origin}/sidereal${path}?x=1#y`, '/sidereal'],
  ])('%s', (src, base) => {
    expect(resultAddress(src, origin, base)).toEqual({
      path,
      service: 'cutout',
      jobId: '0193-ab',
      name: 'M 31_90GHz.fits',
    })
  })

  it.each([
    'https://evil.example/api/cutout/async/1/results/a.fits',
    '//evil.example/api/cutout/async/1/results/a.fits',
    'https://user@sky.example/api/cutout/async/1/results/a.fits',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://sky.example/123',
    '/api/cutout/async/1/results/',
    '/api/cutout/async/1/results/../../../../account/logout',
    '/api/cutout/async/1/results/..%2f..%2fx',
    '/api/cutout/async/1/results/a%00b',
    '/api/cutout/async/1/results/a/b',
    '/api/cutout/async/1/results/%E0%A4%A',
    '/api/v1/me',
    '/account/login',
    'http://[',
    '',
  ])('not %s', (src) => {
    expect(resultAddress(src, origin, '')).toBeUndefined()
  })

  it('nothing outside of the base', () => {
    expect(resultAddress(path, origin, '/sidereal')).toBeUndefined()
    expect(resultAddress(`/siderealx${path}`, origin, '/sidereal')).toBeUndefined()
  })
})
