import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { jobKeys } from '@/shared/api/jobs'
import { plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { say } from '@/shared/ui/toasts'
import { rebuild, refresh, type ProductName } from './api'

const Confirm = lazy(() =>
  import('@/shared/ui/Confirm').then(({ Confirm: component }) => ({ default: component })),
)

/** For operators. Products that are gone from their Keeper are left out: there is nothing to make them of. */
export function RebuildAll({ products }: { products: readonly (ProductName & { missing: boolean })[] }) {
  const [asks, setAsks] = useState(false)
  const client = useQueryClient()
  const navigate = useNavigate()
  const there = products.filter(({ missing }) => !missing)
  const number = plural(there.length, 'dashboard')
  const start = async () => {
    const jobs = await rebuild(there)
    void client.invalidateQueries({ queryKey: jobKeys.all })
    void refresh(client)
    const [only] = jobs
    say(`${plural(jobs.length, 'job')} on the way for ${number}.`, {
      label: jobs.length === 1 ? 'Show it' : 'Show them',
      run: () =>
        jobs.length === 1 && only !== undefined
          ? void navigate({ to: '/jobs/$jobId', params: { jobId: only.jobId } })
          : void navigate({ to: '/jobs', search: { service: ['dashboard'] } }),
    })
  }
  return (
    <>
      <Button
        leftSection={<Icon name="refresh" />}
        disabled={there.length === 0}
        onClick={() => setAsks(true)}
      >
        Rebuild all
      </Button>
      <Suspense>
        {asks && (
          <Confirm
            opened
            title={`Rebuild ${number}?`}
            verb="Rebuild"
            onConfirm={start}
            onClose={() => setAsks(false)}
          >
            <p>LTD Keeper is asked for all of them. Pages of what has not changed stay as they are.</p>
          </Confirm>
        )}
      </Suspense>
    </>
  )
}
