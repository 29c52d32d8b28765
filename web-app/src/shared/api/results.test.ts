import { describe, expect, it } from 'vitest'
import { reasonWords, resultPath } from './results'

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
