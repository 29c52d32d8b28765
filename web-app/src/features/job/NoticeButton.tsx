import { Button } from '@mantine/core'
import { useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { createStore, useStore } from '@/shared/lib/store'
import { Icon } from '@/shared/ui/Icon'
import { say } from '@/shared/ui/toasts'

/** Jobs whose end is to be told by the browser, as long as a page is open. */
export const noticed = createStore<ReadonlySet<string>>(new Set())

const canNotify = () => 'Notification' in window && window.isSecureContext

/** Has the browser tell when the job has ended. Its leave is asked for only when this is pressed. */
export function NoticeButton({ job: { jobId } }: { job: Pick<Job, 'jobId'> }) {
  const chosen = useStore(noticed).has(jobId)
  const [busy, setBusy] = useState(false)
  if (!canNotify()) return null
  const toggle = async () => {
    const next = new Set(noticed.get())
    if (next.delete(jobId)) {
      noticed.set(next)
      return
    }
    setBusy(true)
    const leave = await Notification.requestPermission()
    setBusy(false)
    if (leave === 'granted') noticed.set(next.add(jobId))
    else say('The browser does not allow notices from here; the title of this tab tells too.')
  }
  return (
    <Button
      size="compact-sm"
      variant={chosen ? 'light' : 'subtle'}
      aria-pressed={chosen}
      loading={busy}
      leftSection={<Icon name="bell" size={16} />}
      onClick={() => void toggle()}
    >
      {chosen ? 'You will be told' : 'Tell me when it ends'}
    </Button>
  )
}
