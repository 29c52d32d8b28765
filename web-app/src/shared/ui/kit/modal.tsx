/** With its styles, so that a page that does not use it does not load them. */
import '@mantine/core/styles/Overlay.layer.css'
import '@mantine/core/styles/ModalBase.layer.css'
import '@mantine/core/styles/ScrollArea.layer.css'
import '@mantine/core/styles/CloseButton.layer.css'
import '@mantine/core/styles/Modal.layer.css'
import { Modal as Dialog, type ModalProps } from '@mantine/core'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react'
import { cspNonce } from '@/shared/config'

// The lock of scrolling below a dialog adds a style element, and looks for the nonce here.
Object.assign(globalThis, { __webpack_nonce__: cspNonce() })

/** A dialog. When it closes, or is taken away open, what had the focus before has it again. */
export function Modal(props: ModalProps) {
  useOwnEscape(props.opened)
  useReturn(props.opened)
  // Its own return of the focus knows nothing of a dialog that is open from its first moment.
  return <Dialog {...props} returnFocus={false} />
}

/** Escape in a dialog is the dialog's, also for those who hear of the key when it is gone. */
function useOwnEscape(opened: boolean) {
  const isOpen = useRef(opened)
  useLayoutEffect(() => {
    isOpen.current = opened
  }, [opened])
  // Before the dialog's own listener, which may take this one away.
  useLayoutEffect(() => {
    const own = (event: KeyboardEvent) => {
      if (isOpen.current && event.key === 'Escape') event.preventDefault()
    }
    window.addEventListener('keydown', own, { capture: true })
    return () => window.removeEventListener('keydown', own, { capture: true })
  }, [])
}

/** What the dialog that closes gives the focus back to; the next one, if it opens at once, does so in its place. */
let left: Element | null = null
let open = 0

function useReturn(opened: boolean) {
  // Seen as the dialog is rendered: a menu that asked for it is gone by the time of the effects.
  const active = useMemo(() => (opened ? openerOf(document.activeElement) : null), [opened])
  useEffect(() => {
    if (!opened) return undefined
    const opener = left ?? active
    left = null
    open += 1
    return () => {
      open -= 1
      left = opener
      queueMicrotask(() => {
        if (left === opener) left = null
        if (open === 0 && isLost(document.activeElement)) giveBack(opener)
      })
    }
  }, [opened, active])
}

/** A menu is gone when its dialog is: its button stays. */
function openerOf(active: Element | null): Element | null {
  const button = active?.closest('[role="menu"]')?.getAttribute('aria-labelledby')
  return button == null ? active : document.getElementById(button)
}

const isLost = (active: Element | null) =>
  active === null || active === document.body || active.closest('[role="dialog"]') !== null

/** To the page's heading, if what opened the dialog is no more. */
function giveBack(opener: Element | null) {
  if (opener instanceof HTMLElement && opener !== document.body && opener.isConnected)
    opener.focus({ preventScroll: true })
  if (isLost(document.activeElement)) document.getElementById('page-title')?.focus({ preventScroll: true })
}
