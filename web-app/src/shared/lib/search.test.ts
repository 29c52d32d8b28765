import * as z from 'zod/mini'
import { expect, it } from 'vitest'
import { flag, manyOf, oneOf, ordinal, parseSearch, stringifySearch, text } from './search'

const schema = z.object({
  phase: manyOf(['ERROR', 'QUEUED']),
  q: text,
  row: ordinal,
  tab: oneOf(['log']),
  on: flag,
})
const read = (address: string) => JSON.parse(JSON.stringify(schema.parse(parseSearch(address)))) as unknown

it('reads one value and several alike', () => {
  expect(read('?phase=ERROR')).toEqual({ phase: ['ERROR'] })
  expect(read('?phase=ERROR&phase=QUEUED&q=a+b')).toEqual({ phase: ['ERROR', 'QUEUED'], q: 'a b' })
  expect(read('?row=3&tab=log&on=true')).toEqual({ row: 3, tab: 'log', on: true })
})

it('leaves out what it cannot read', () => {
  expect(read('?phase=NONE&row=0&tab=x&on=maybe')).toEqual({})
  expect(read('?row=1.5')).toEqual({})
})

it('writes what it reads', () => {
  const address = '?phase=ERROR&phase=QUEUED&q=a%26b&row=7&on=true'
  expect(stringifySearch(schema.parse(parseSearch(address)))).toBe(address)
  expect(stringifySearch({ q: '', phase: undefined, row: null })).toBe('')
})
