import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { Modal } from '@/shared/ui/kit/modal'
import { loginUrl, session } from '@/shared/api/session'
import { Icon } from '@/shared/ui/Icon'

/** Asks to sign in beside a page whose session has ended. The page and what was typed on it stay. */
export function SignInAgain() {
  const client = useQueryClient()
  const [blocked, setBlocked] = useState(false)

  // It is taken away when somebody has signed in, here or in another tab: then all is read anew.
  useEffect(
    () => () => {
      if (session.get() === 'in') void client.invalidateQueries()
    },
    [client],
  )

  const signIn = () => {
    const opened = window.open(loginUrl('/app/signed-in'), 'sidereal-login', 'popup,width=520,height=720')
    setBlocked(opened === null)
  }
  return (
    <Modal
      opened
      onClose={() => undefined}
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
      title="Your session has ended"
      centered
    >
      <p>Sign in again in a window beside this page. What you have typed stays as it is.</p>
      {blocked && (
        <p role="alert">
          The browser has blocked the window. Allow it, or{' '}
          <a href={loginUrl('/app/signed-in')} target="_blank" rel="noreferrer">
            sign in in a new tab
          </a>
          .
        </p>
      )}
      <Button fullWidth leftSection={<Icon name="key" />} onClick={signIn} data-autofocus>
        Sign in
      </Button>
    </Modal>
  )
}
