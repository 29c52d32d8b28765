import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { loginUrl } from '@/shared/api/session'
import { Icon } from '@/shared/ui/Icon'
import { useTitle } from '@/shared/ui/Page'
import { Notice } from '@/shared/ui/States'

/** In place of all pages after signing out, here or in another tab: nothing of the person is left. */
export function SignedOut() {
  const client = useQueryClient()
  useTitle('Signed out')
  useEffect(() => client.clear(), [client])
  return (
    <main>
      <Notice
        icon="lock"
        title="You are signed out"
        actions={
          <Button component="a" href={loginUrl('/app/')} leftSection={<Icon name="key" />}>
            Sign in
          </Button>
        }
      >
        <p>Whoever signs in next begins anew.</p>
      </Notice>
    </main>
  )
}
