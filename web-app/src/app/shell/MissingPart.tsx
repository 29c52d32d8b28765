import { Button } from '@mantine/core'
import { Icon } from '@/shared/ui/Icon'
import cx from './shell.module.css'

/** In place of a dialog whose code did not come: the page goes on without it. */
export function MissingPart() {
  return (
    <div className={`${cx['banner'] ?? ''} ${cx['missing'] ?? ''}`} role="alert">
      <Icon name="warning" />
      This part of the page could not be loaded. Drafts are kept.
      <Button size="compact-sm" onClick={() => window.location.reload()}>
        Reload
      </Button>
    </div>
  )
}
