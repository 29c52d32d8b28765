import type { Schema } from '@/shared/api/client'
import type { ParameterInfo, Service } from '@/shared/api/me'
import type { List } from '@/shared/astro/positions'
import type { JobRequest } from '@/shared/lib/snippets'

/** What is typed into the form: of each parameter its values, as text. */
export type FormValues = {
  /** By the name of the parameter. A list of one for those that are given once. */
  parameters: Record<string, string[]>
  /** Those of a service that takes any. */
  others: { name: string; value: string }[]
  runId: string
  run: boolean
}

export const emptyForm = (service: Service): FormValues => ({
  parameters: Object.fromEntries(service.parameters.map(({ name }) => [name, []])),
  others: [],
  runId: '',
  run: true,
})

/** What can be said against a value before the server is asked, by what the service says of the parameter. */
export function fault(info: ParameterInfo, values: readonly string[]): string | undefined {
  const given = values.filter((value) => value.trim() !== '')
  if (given.length === 0) return info.required ? 'This is needed' : undefined
  if (info.kind.type === 'real') {
    for (const value of given) {
      const number = Number(value)
      if (!Number.isFinite(number)) return `“${value}” is no number`
      if (info.kind.min != null && number < info.kind.min) return `At least ${info.kind.min}`
      if (info.kind.max != null && number > info.kind.max) return `At most ${info.kind.max}`
    }
  }
  if (info.kind.type === 'choice') {
    const unknown = given.find((value) => !(info.kind.options ?? []).includes(value))
    if (unknown !== undefined) return `“${unknown}” is none of ${(info.kind.options ?? []).join(', ')}`
  }
  return undefined
}

/** The request that the form stands for: what is empty is left to the server. */
export function requestOf(service: Service, values: FormValues): JobRequest {
  const parameters = service.parameters.flatMap(({ name, kind }) =>
    (values.parameters[name] ?? [])
      .filter((value) => value.trim() !== '')
      .map((value) => ({ name, value, file: kind.type === 'file' })),
  )
  for (const { name, value } of values.others) {
    if (name.trim() !== '') parameters.push({ name: name.trim().toUpperCase(), value, file: false })
  }
  const runId = values.runId.trim()
  return { service: service.name, runId: runId === '' ? undefined : runId, run: values.run, parameters }
}

/** Whether two requests ask for the same, whatever they are called and whether they run. */
export const isSameRequest = (one: JobRequest, other: JobRequest) =>
  one.service === other.service &&
  one.parameters.length === other.parameters.length &&
  one.parameters.every(({ name, value }, at) => {
    const twin = other.parameters[at]
    return name === twin?.name && value === twin.value
  })

type Obstacles = {
  list: Pick<List, 'fault' | 'problems'> | 'being read' | undefined
  /** The first parameter with a fault. */
  fault: string | undefined
  empty: boolean
}

/** What must be done before the form can be sent; nothing if it can be. A list goes only as it was read and mended. */
export function hintOf({ list, fault: name, empty }: Obstacles): string | undefined {
  if (list === 'being read') return 'The list is being read.'
  if (list?.fault !== undefined) return 'The list cannot be read.'
  const bad = list?.problems ?? 0
  if (bad > 0) return `${bad === 1 ? 'One row' : `${bad} rows`} must be mended first.`
  if (name !== undefined) return `${name} must be mended first.`
  return empty ? 'Nothing is asked for yet.' : undefined
}

/** The same as the body of `POST /api/v1/jobs`. */
export function bodyOf({ service, runId, run, parameters }: JobRequest): Schema['NewJob'] {
  const values: Record<string, string[]> = {}
  for (const { name, value } of parameters) (values[name] ??= []).push(value)
  return { service, run, parameters: values, ...(runId === undefined ? {} : { runId }) }
}

export type Group = { title: string; parameters: ParameterInfo[]; more: ParameterInfo[] }

/** So few parameters need no groups. */
const FEW = 3
/** Parameters of a group beyond these are folded away. */
const OPEN = 4

/** What programs say by the standard (SODA), and people by simpler parameters: folded away first. */
const forPrograms = /pos\.outline|em\.wl|obs\.exposure|phys\.polarization|meta\.ref/

/**
 * The parameters in groups, by what their UCDs say they are: where on the sky, of which data, and the rest, which
 * is how it is given back. The order of the service stays in each.
 */
export function groupsOf({ parameters }: Service): Group[] {
  const groups = new Map<string, ParameterInfo[]>()
  for (const parameter of parameters) {
    const title = titleOf(parameter.ucd ?? '')
    groups.set(title, [...(groups.get(title) ?? []), parameter])
  }
  if (groups.size === 1 || parameters.length <= FEW)
    return [{ title: 'Parameters', parameters: [...parameters], more: [] }]
  return [...groups].map(([title, all]) => {
    const open = all.filter(({ ucd, required }) => required || !forPrograms.test(ucd ?? '')).slice(0, OPEN)
    return { title, parameters: open, more: all.filter((one) => !open.includes(one)) }
  })
}

function titleOf(ucd: string): string {
  if (/^(pos|phys\.angSize)/.test(ucd)) return 'Where'
  if (/^(em|instr|time|obs|meta\.(id|ref|code\.class))|phys\.polarization/.test(ucd)) return 'Which data'
  return 'What comes back'
}
