import { describe, expect, it } from 'vitest'
import type { ParameterInfo, Service } from '@/shared/api/me'
import { bodyOf, emptyForm, fault, groupsOf, hintOf, isSameRequest, requestOf } from './form'

const parameter = (name: string, more: Partial<ParameterInfo> = {}): ParameterInfo => ({
  name,
  kind: { type: 'text' },
  required: false,
  repeatable: false,
  meaning: '',
  ...more,
})
const service = (...parameters: ParameterInfo[]): Service => ({
  name: 'cutout',
  title: 'Cutouts',
  summary: '',
  parameters,
  anyParameter: true,
  formats: [],
  retryable: true,
  executionDuration: 3600,
  maxExecutionDuration: 86400,
  retention: 2592000,
  maxRetention: 2592000,
})

describe('fault', () => {
  const size = parameter('SIDE', { kind: { type: 'real', min: 1, max: 2048 } })
  const edge = parameter('EDGE', { kind: { type: 'choice', options: ['trim', 'pad'] } })
  it.each([
    [size, ['12'], undefined],
    [size, ['0'], 'At least 1'],
    [size, ['4096'], 'At most 2048'],
    [size, ['many'], '“many” is no number'],
    [size, [''], undefined],
    [edge, ['pad'], undefined],
    [edge, ['strict'], '“strict” is none of trim, pad'],
    [parameter('ID', { required: true }), [' '], 'This is needed'],
  ] as const)('%o %o', (info, values, expected) => expect(fault(info, values)).toBe(expected))
})

it('leaves out what is empty and keeps what is repeated', () => {
  const described = service(parameter('POSITIONS', { kind: { type: 'file' } }), parameter('BANDS'))
  const values = emptyForm(described)
  values.parameters = { POSITIONS: ['RA,DEC\n1,2'], BANDS: ['90GHz', ' ', '150GHz'] }
  values.others = [
    { name: 'note', value: 'x' },
    { name: '', value: 'y' },
  ]
  const request = requestOf(described, values)
  expect(request.parameters).toEqual([
    { name: 'POSITIONS', value: 'RA,DEC\n1,2', file: true },
    { name: 'BANDS', value: '90GHz', file: false },
    { name: 'BANDS', value: '150GHz', file: false },
    { name: 'NOTE', value: 'x', file: false },
  ])
  expect(bodyOf(request)).toEqual({
    service: 'cutout',
    run: true,
    parameters: { POSITIONS: ['RA,DEC\n1,2'], BANDS: ['90GHz', '150GHz'], NOTE: ['x'] },
  })
})

it('groups parameters by what they are', () => {
  const groups = groupsOf(
    service(
      parameter('POSITIONS', { ucd: 'pos.eq', kind: { type: 'file' } }),
      parameter('SIZE', { ucd: 'phys.angSize' }),
      parameter('BANDS', { ucd: 'instr.bandpass' }),
      parameter('FORMAT', { ucd: 'meta.code.mime' }),
    ),
  )
  expect(groups.map(({ title, parameters }) => [title, parameters.map(({ name }) => name)])).toEqual([
    ['Where', ['POSITIONS', 'SIZE']],
    ['Which data', ['BANDS']],
    ['What comes back', ['FORMAT']],
  ])
  expect(groupsOf(service(parameter('SLEEP')))[0]?.title).toBe('Parameters')
})

describe('what must be done before it is sent', () => {
  const list = { problems: 0 }
  it.each([
    [{ list, fault: undefined, empty: false }, undefined],
    [{ list: undefined, fault: undefined, empty: true }, 'Nothing is asked for yet.'],
    [{ list: { problems: 2 }, fault: 'SIZE', empty: false }, '2 rows must be mended first.'],
    [
      { list: { problems: 0, fault: 'No column RA' }, fault: undefined, empty: false },
      'The list cannot be read.',
    ],
    [{ list, fault: 'SIZE', empty: false }, 'SIZE must be mended first.'],
    // Sent now it would go as it was typed: with hours for degrees, if that is what was to be mended.
    [{ list: 'being read', fault: undefined, empty: false }, 'The list is being read.'],
  ] as const)('of %j', (obstacles, hint) => expect(hintOf(obstacles)).toBe(hint))
})

it('takes what the server has told for that of the same rows only', () => {
  const request = (...values: string[]) => ({
    service: 'cutout',
    runId: undefined,
    run: true,
    parameters: values.map((value) => ({ name: 'POSITIONS', value })),
  })
  expect(isSameRequest(request('1,2\n3,4'), { ...request('1,2\n3,4'), runId: 'another', run: false })).toBe(
    true,
  )
  expect(isSameRequest(request('1,2\n3,4'), request('3,4'))).toBe(false)
  expect(isSameRequest(request('1,2'), request('1,2', '3,4'))).toBe(false)
  expect(isSameRequest(request('1,2'), { ...request('1,2'), service: 'echo' })).toBe(false)
})
