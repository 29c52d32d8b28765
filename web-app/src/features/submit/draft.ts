import type { FormValues } from './form'

/** What is typed is kept in the browser until it is sent, for each person and service. */

/** Browsers give a site a few MB. */
const MOST = 2_000_000

const keyOf = (person: string, service: string) => `sidereal.draft.${person}.${service}`

export function readDraft(person: string, service: string): FormValues | undefined {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(person, service)) ?? 'null')
    return isForm(kept) ? kept : undefined
  } catch {
    return undefined
  }
}

export function keepDraft(person: string, service: string, values: FormValues) {
  try {
    const text = JSON.stringify(values)
    if (text.length <= MOST) localStorage.setItem(keyOf(person, service), text)
  } catch {
    // Storage may be off or full; the form then lasts as long as the page.
  }
}

export function dropDraft(person: string, service: string) {
  try {
    localStorage.removeItem(keyOf(person, service))
  } catch {
    // As above.
  }
}

/** Whether there is anything in a form that would be missed. */
export const isTouched = ({ parameters, others, runId }: FormValues) =>
  runId !== '' ||
  others.length > 0 ||
  Object.values(parameters).some((values) => values.some((value) => value !== ''))

/** Whether something was typed into a form since it was opened: what another job asked for is no draft. */
export const isTyped = (values: FormValues, initial: FormValues) =>
  JSON.stringify(values) !== JSON.stringify(initial)

function isForm(value: unknown): value is FormValues {
  if (typeof value !== 'object' || value === null) return false
  const { parameters, others, runId, run } = value as Partial<Record<keyof FormValues, unknown>>
  return (
    typeof parameters === 'object' &&
    parameters !== null &&
    Object.values(parameters).every(
      (list) => Array.isArray(list) && list.every((one) => typeof one === 'string'),
    ) &&
    Array.isArray(others) &&
    typeof runId === 'string' &&
    typeof run === 'boolean'
  )
}
