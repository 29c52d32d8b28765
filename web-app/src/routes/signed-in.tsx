import { createRoute } from '@tanstack/react-router'
import { useEffect } from 'react'
import { announceSignedIn } from '@/shared/api/session'
import { useTitle } from '@/shared/ui/Page'
import { Notice } from '@/shared/ui/States'
import { rootRoute } from './root'

/** Where the window comes back to in which somebody has signed in beside a page. */
export const signedInRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/signed-in',
  component: SignedIn,
})

function SignedIn() {
  useTitle('Signed in')
  useEffect(() => {
    announceSignedIn()
    window.close()
  }, [])
  return (
    <Notice icon="check" title="You are signed in">
      <p>Close this window: your page goes on where it was.</p>
    </Notice>
  )
}
