import { Button } from '@mantine/core'
import { onlineManager } from '@tanstack/react-query'
import { useSyncExternalStore } from 'react'
import { Icon } from '@/shared/ui/Icon'
import { useNewRelease } from './useNewRelease'
import cx from './shell.module.css'

/** What concerns every page: no network, or a page that is older than the server. */
export function Banner() {
  const online = useSyncExternalStore(
    (listener) => onlineManager.subscribe(listener),
    () => onlineManager.isOnline(),
  )
  const release = useNewRelease()
  return (
    <>
      {!online && (
        <div className={cx['banner']} data-kind="offline" role="status">
          <Icon name="offline" />
          You are offline. What is shown may be old; what you type stays.
        </div>
      )}
      {release && (
        <div className={cx['banner']} role="status">
          <Icon name="refresh" />
          There is a new version of this page. Drafts are kept.
          <Button size="compact-sm" onClick={() => window.location.reload()}>
            Reload
          </Button>
        </div>
      )}
    </>
  )
}
