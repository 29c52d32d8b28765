import { describe, expect, it, vi } from 'vitest'
import { isOwnKey, matcher } from './hotkeys'

const press = (key: string, timeStamp: number, more: Partial<KeyboardEvent> = {}) =>
  ({ key, timeStamp, altKey: false, ctrlKey: false, metaKey: false, ...more }) as KeyboardEvent

describe('matcher', () => {
  const jobs = vi.fn()
  const next = vi.fn()
  const palette = vi.fn()
  const keys = { 'g j': jobs, j: next, 'mod+k': palette }

  it('finds a single key and a row of two', () => {
    const match = matcher()
    expect(match(keys, press('j', 10_000))).toBe(next)
    expect(match(keys, press('g', 20_000))).toBeUndefined()
    expect(match(keys, press('j', 20_300))).toBe(jobs)
  })

  it('forgets the first key of a row', () => {
    const match = matcher()
    match(keys, press('g', 10_000))
    expect(match(keys, press('j', 12_000))).toBe(next)
  })

  it('leaves keys with other modifiers alone', () => {
    const match = matcher()
    expect(match(keys, press('k', 10_000, { ctrlKey: true }))).toBe(palette)
    expect(match(keys, press('j', 10_000, { metaKey: true }))).toBeUndefined()
    expect(match(keys, press('j', 10_000, { altKey: true }))).toBeUndefined()
  })
})

describe('isOwnKey', () => {
  it('leaves Enter to links and buttons, also from inside of them', () => {
    document.body.innerHTML = '<a href="#x"><b>x</b></a><button></button><p tabindex="-1">y</p>'
    expect(isOwnKey(document.querySelector('b'), 'Enter')).toBe(true)
    expect(isOwnKey(document.querySelector('button'), 'Enter')).toBe(true)
    expect(isOwnKey(document.querySelector('p'), 'Enter')).toBe(false)
    expect(isOwnKey(document.querySelector('button'), 'j')).toBe(false)
  })

  it('leaves Space to what it presses: a checkbox has no other key', () => {
    document.body.innerHTML =
      '<input type="checkbox"><details><summary></summary></details><button><b></b></button>'
    for (const name of ['input', 'summary', 'b'])
      expect(isOwnKey(document.querySelector(name), ' ')).toBe(true)
    document.body.innerHTML = '<div role="application" tabindex="0"></div><a href="#x">x</a>'
    for (const name of ['div', 'a']) expect(isOwnKey(document.querySelector(name), ' ')).toBe(false)
  })

  it('leaves arrows to tabs', () => {
    document.body.innerHTML = '<div role="tab"></div>'
    expect(isOwnKey(document.querySelector('div'), 'ArrowRight')).toBe(true)
    expect(isOwnKey(document.body, 'ArrowRight')).toBe(false)
  })
})
