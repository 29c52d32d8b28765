import { beforeEach, expect, it } from 'vitest'
import { dropDraft, isTouched, isTyped, keepDraft, readDraft } from './draft'

const values = { parameters: { POSITIONS: ['RA,DEC\n1,2'] }, others: [], runId: '', run: true }

beforeEach(() => localStorage.clear())

it('gives back what was kept, to the same person and service', () => {
  keepDraft('ada', 'cutout', values)
  expect(readDraft('ada', 'cutout')).toEqual(values)
  expect(readDraft('ben', 'cutout')).toBeUndefined()
  dropDraft('ada', 'cutout')
  expect(readDraft('ada', 'cutout')).toBeUndefined()
})

it('takes nothing that is no form', () => {
  for (const text of [
    '',
    'x',
    '7',
    'null',
    '{}',
    '{"parameters":{"A":"b"},"others":[],"runId":"","run":true}',
  ]) {
    localStorage.setItem('sidereal.draft.ada.cutout', text)
    expect(readDraft('ada', 'cutout')).toBeUndefined()
  }
})

it('knows an empty form', () => {
  expect(isTouched(values)).toBe(true)
  expect(isTouched({ parameters: { POSITIONS: [], SIZE: [''] }, others: [], runId: '', run: true })).toBe(
    false,
  )
})

it('takes nothing for typed that a form was opened with', () => {
  expect(isTyped(structuredClone(values), values)).toBe(false)
  expect(isTyped({ ...values, runId: 'mine' }, values)).toBe(true)
})
