import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { servicesQuery } from '@/shared/api/me'
import { Page } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'

/** A page of dashboards, on a server that makes them. */
export function Served({ children }: { children: ReactNode }) {
  const query = useQuery(servicesQuery)
  if (query.data?.services.some(({ name }) => name === 'dashboard') === true) return children
  return (
    <Page title="Documentation">
      <Loaded query={query} what="Asking what is served">
        {() => (
          <Notice icon="book" title="This server makes no dashboards">
            <p>Its settings do not name the service “dashboard”.</p>
          </Notice>
        )}
      </Loaded>
    </Page>
  )
}
