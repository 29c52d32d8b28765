import { Button } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { Modal } from '@/shared/ui/kit/modal'
import { sentence } from '@/shared/api/problem'
import cx from './confirm.module.css'

type ConfirmProps = {
  opened: boolean
  title: string
  children: ReactNode
  /** The words of the button that does it. */
  verb: string
  danger?: boolean
  onConfirm: () => Promise<unknown>
  onClose: () => void
}

/** Asks before what cannot be taken back. Stays open while it is done, and with the reason if it fails. */
export function Confirm({ opened, title, children, verb, danger = false, onConfirm, onClose }: ConfirmProps) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  const confirm = async () => {
    setBusy(true)
    setError(undefined)
    try {
      await onConfirm()
      onClose()
    } catch (failure) {
      setError(sentence(failure))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal opened={opened} onClose={onClose} title={title} centered>
      <div className={cx['body']}>{children}</div>
      {error !== undefined && (
        <p className={cx['error']} role="alert">
          {error}
        </p>
      )}
      <div className={cx['actions']}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          color={danger ? 'red' : undefined}
          loading={busy}
          onClick={() => void confirm()}
          data-autofocus
        >
          {verb}
        </Button>
      </div>
    </Modal>
  )
}
