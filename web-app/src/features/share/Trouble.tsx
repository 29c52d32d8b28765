import { Button } from '@mantine/core'
import { ApiError } from '@/shared/api/problem'
import { Icon } from '@/shared/ui/Icon'
import { useTitle } from '@/shared/ui/Page'
import { ErrorPanel, Notice } from '@/shared/ui/States'
import { leadsNowhere } from './api'

/** Why nothing is shown. Of a link that leads nowhere it is not told why: who guesses links learns nothing. */
export function Trouble({ error, retry }: { error: Error; retry: () => void }) {
  const isGone = leadsNowhere(error)
  useTitle(isGone ? 'No such link' : 'A shared job')
  if (isGone) {
    return (
      <Notice alert icon="search" title="This link leads nowhere">
        <p>It may have ended or been taken back, or its address is not whole.</p>
        <p>Ask whoever has sent it for a new one.</p>
      </Notice>
    )
  }
  if (error instanceof ApiError && error.status === 429) {
    return (
      <Notice
        alert
        icon="clock"
        title="Too many look at once"
        actions={
          <Button variant="default" onClick={retry} leftSection={<Icon name="refresh" />}>
            Try again
          </Button>
        }
      >
        <p>This page tries again by itself in a little while.</p>
      </Notice>
    )
  }
  return <ErrorPanel error={error} retry={retry} />
}
