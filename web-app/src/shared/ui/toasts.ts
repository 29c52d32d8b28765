import { createStore } from '@/shared/lib/store'
import { sentence } from '@/shared/api/problem'

export type Toast = {
  id: number
  kind: 'done' | 'failed'
  text: string
  action?: { label: string; run: () => void }
}

export const toasts = createStore<readonly Toast[]>([])

let next = 1

export function dismiss(id: number) {
  toasts.set(toasts.get().filter((toast) => toast.id !== id))
}

/** Says that something was done. What has an action stays longer, so that it can be reached. */
export function say(text: string, action?: Toast['action']) {
  show(
    { kind: 'done', text, ...(action === undefined ? {} : { action }) },
    action === undefined ? 5_000 : 12_000,
  )
}

/** Says that something has failed, until it is dismissed. */
export function complain(error: unknown) {
  show({ kind: 'failed', text: sentence(error) })
}

function show(toast: Omit<Toast, 'id'>, milliseconds?: number) {
  const id = next++
  toasts.set([...toasts.get().slice(-3), { ...toast, id }])
  if (milliseconds !== undefined) setTimeout(() => dismiss(id), milliseconds)
}
