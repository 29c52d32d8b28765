import { describe, expect, it } from 'vitest'
import { ago, bytes, duration, moment, plain, plural } from './format'

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [34560, '33.8 KiB'],
    [1024 * 1024 - 1, '1.00 MiB'],
    [5 * 1024 ** 4, '5.00 TiB'],
  ])('%d is %s', (value, text) => expect(bytes(value)).toBe(text))
})

describe('duration', () => {
  it.each([
    [-5000, '0 ms'],
    [42, '42 ms'],
    [1500, '1.5 s'],
    [59_999, '59 s'],
    [60_000, '1 min'],
    [3_661_000, '1 h 1 min'],
    [90_000_000, '1 d 1 h'],
    [2_592_000_000, '30 d'],
  ])('%d ms is %s', (value, text) => expect(duration(value)).toBe(text))
})

it('tells times from now, both ways', () => {
  expect(ago(0, 180_000)).toBe('3 minutes ago')
  expect(ago(30 * 86_400_000, 0)).toBe('in 30 days')
  expect(ago(59_000, 0)).toBe('in 59 seconds')
})

it('names the zone of a time', () => {
  expect(moment(Date.UTC(2026, 10, 21, 14, 17, 22, 999), 'utc')).toBe('2026-11-21 14:17:22 UTC')
})

it('counts one as one', () => {
  expect(plural(1, 'job')).toBe('1 job')
  expect(plural(1200, 'job')).toBe('1,200 jobs')
  expect(plural(2, 'body', 'bodies')).toBe('2 bodies')
})

it('shows what turns a name around or is not seen', () => {
  expect(plain('m31\u202Egnp.fits')).toBe('m31⟨U+202E⟩gnp.fits')
  expect(plain('a\tb\u2066')).toBe('a⟨U+0009⟩b⟨U+2066⟩')
  expect(plain('Ωmega ערב 猫')).toBe('Ωmega ערב 猫')
})
