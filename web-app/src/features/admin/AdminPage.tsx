import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Tabs } from '@/shared/ui/kit/tabs'
import { isAdmin, isOperator, meQuery } from '@/shared/api/me'
import { ApiError } from '@/shared/api/problem'
import { Page } from '@/shared/ui/Page'
import { ErrorPanel, Loaded, Notice } from '@/shared/ui/States'
import { Audit } from './Audit'
import { Queue } from './Queue'
import { Users } from './Users'
import { Workers } from './Workers'
import cx from './admin.module.css'

const route = getRouteApi('/admin/$part')

const parts = [
  ['queue', 'Queue'],
  ['workers', 'Workers'],
  ['users', 'People'],
  ['audit', 'Audit'],
] as const

export function AdminPage() {
  const { part } = route.useParams()
  const navigate = useNavigate()
  const query = useQuery(meQuery)
  if (!parts.some(([name]) => name === part)) {
    return (
      <Notice icon="search" title="There is no such part">
        <p>Operations are: {parts.map(([, title]) => title).join(', ')}.</p>
      </Notice>
    )
  }
  return (
    <Page title="Operations" wide>
      <Loaded query={query} what="Reading your roles">
        {(me) =>
          isOperator(me) ? (
            <Tabs
              value={part}
              keepMounted={false}
              onChange={(next) =>
                void navigate({ to: '/admin/$part', params: { part: next ?? 'queue' }, search: {} })
              }
            >
              <Tabs.List className={cx['tabs']}>
                {parts.map(([name, title]) => (
                  <Tabs.Tab key={name} value={name}>
                    {title}
                  </Tabs.Tab>
                ))}
              </Tabs.List>
              <div className={cx['panel']}>
                <Tabs.Panel value="queue">
                  <Queue />
                </Tabs.Panel>
                <Tabs.Panel value="workers">
                  <Workers />
                </Tabs.Panel>
                <Tabs.Panel value="users">
                  <Users canChange={isAdmin(me)} />
                </Tabs.Panel>
                <Tabs.Panel value="audit">
                  <Audit />
                </Tabs.Panel>
              </div>
            </Tabs>
          ) : (
            <ErrorPanel error={new ApiError(403, 'Only operators and administrators see this.')} />
          )
        }
      </Loaded>
    </Page>
  )
}
