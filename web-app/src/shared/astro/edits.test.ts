import { expect, it } from 'vitest'
import { isAnother, withRow, withoutRows, writesAll } from './edits'
import { parseList, type Fixes } from './positions'

const edited = (text: string, index: number, edit: Parameters<typeof withRow>[4], fixes: Fixes = {}) =>
  withRow(text, parseList(text, fixes), fixes, index, edit)

it('changes one line, and leaves the others with what is not understood', () => {
  const text = '# mine\nname,ra,dec,flux\nA,400,2,7\n\n"B, b",3,4,8'
  expect(edited(text, 0, { RA: '40.0' })).toBe('# mine\nname,ra,dec,flux\nA, 40.0, 2, 7\n\n"B, b",3,4,8')
  expect(edited(text, 1, { DEC: '5' })).toBe('# mine\nname,ra,dec,flux\nA,400,2,7\n\n"B, b", 3, 5, 8')
  expect(edited('1\t2\tM13', 0, { DEC: '3' })).toBe('1\t3\tM13')
  expect(edited('1 2 M13', 0, { DEC: '3' })).toBe('1 3 M13')
})

it('takes a line out', () => {
  expect(edited('RA,DEC\n1,2\n300,400\n5,6', 1, undefined)).toBe('RA,DEC\n1,2\n5,6')
  const text = 'RA,DEC\n1,2\n3,4\n5,6'
  expect(withoutRows(text, parseList(text), {}, new Set([0, 2]))).toBe('RA,DEC\n3,4')
})

it('writes all of it where a line cannot be changed alone', () => {
  expect(edited('16 41 41.4 +36 27 36 M13', 0, { DEC: '36.5' })).toBe('RA,DEC,OBJID\n16:41:41.4,36.5,M13\n')
  expect(edited('1 2', 0, { OBJID: 'two words' })).toBe('RA,DEC,OBJID\n1,2,two words\n')
  expect(edited('[{"ra": 1, "dec": 200}]', 0, { DEC: '20' })).toBe('RA,DEC\n1,20\n')
  const swapped = 'RA,DEC\n36.5,250.4\n36.6,abc'
  expect(writesAll(parseList(swapped), { swap: true })).toBe(true)
  expect(edited(swapped, 1, { RA: '250' }, { swap: true })).toBe('RA,DEC\n250.4,36.5\n250,36.6\n')
})

it('knows another list from a changed one', () => {
  const list = 'RA,DEC\n36.5,250.4\n36.4,250.5'
  expect(isAnother(list, `${list}\n1,2`)).toBe(false)
  expect(isAnother(list, list.replace('36.5', '37'))).toBe(false)
  expect(isAnother(list, 'M13 1 2')).toBe(true)
  expect(isAnother(list, '')).toBe(true)
  expect(isAnother('', list)).toBe(false)
})
