import { Button } from '@mantine/core'
import { useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { say } from '@/shared/ui/toasts'
import { refresh, remove, type Dashboard } from './api'

const Confirm = lazy(() =>
  import('@/shared/ui/Confirm').then(({ Confirm: component }) => ({ default: component })),
)

/** For operators, where LTD Keeper knows the product no more: else it would come back. */
export function Remove({ dashboard }: { dashboard: Dashboard }) {
  const [asks, setAsks] = useState(false)
  const client = useQueryClient()
  const navigate = useNavigate()
  const { product, title } = dashboard
  return (
    <>
      <Button variant="default" size="compact-sm" onClick={() => setAsks(true)}>
        Remove it
      </Button>
      <Suspense>
        {asks && (
          <Confirm
            opened
            danger
            title={`Remove the dashboard of ${title === '' ? product : title}?`}
            verb="Remove"
            onConfirm={async () => {
              await remove(dashboard)
              say('The dashboard is removed.')
              await navigate({ to: '/dashboards/docs' })
              void refresh(client)
            }}
            onClose={() => setAsks(false)}
          >
            <p>Its public pages go, and what is known of it. Its jobs stay.</p>
          </Confirm>
        )}
      </Suspense>
    </>
  )
}
