import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { Tabs } from '@/shared/ui/kit/tabs'
import { isAdmin, isOperator, meQuery, type Me } from '@/shared/api/me'
import { ApiError } from '@/shared/api/problem'
import { Page } from '@/shared/ui/Page'
import { ErrorPanel, Loaded, Notice } from '@/shared/ui/States'
import { Audit } from './Audit'
import { Queue } from './Queue'
import { Users } from './Users'
import { Workers } from './Workers'
import cx from './admin.module.css'

const route = getRouteApi('/admin/$part')

/** The parts, and whose they are: the server refuses them to others. */
const parts = [
  { name: 'queue', title: 'Queue', may: isOperator, Part: Queue },
  { name: 'workers', title: 'Workers', may: isOperator, Part: Workers },
  { name: 'users', title: 'People', may: isAdmin, Part: Users },
  { name: 'audit', title: 'Audit', may: isAdmin, Part: Audit },
] as const

export function AdminPage() {
  const { part } = route.useParams()
  const query = useQuery(meQuery)
  const found = parts.find(({ name }) => name === part)
  if (found === undefined) {
    return (
      <Notice icon="search" title="There is no such part">
        <p>Operations are: {parts.map(({ title }) => title).join(', ')}.</p>
      </Notice>
    )
  }
  return (
    <Page title="Operations" wide>
      <Loaded query={query} what="Reading your roles">
        {(me) =>
          found.may(me) ? (
            <Parts me={me} chosen={found.name} />
          ) : (
            <ErrorPanel
              error={
                new ApiError(
                  403,
                  found.may === isAdmin
                    ? 'Only administrators see this.'
                    : 'Only operators and administrators see this.',
                )
              }
            />
          )
        }
      </Loaded>
    </Page>
  )
}

function Parts({ me, chosen }: { me: Me; chosen: string }) {
  const navigate = useNavigate()
  const own = parts.filter(({ may }) => may(me))
  return (
    <Tabs
      value={chosen}
      keepMounted={false}
      onChange={(next) =>
        void navigate({ to: '/admin/$part', params: { part: next ?? 'queue' }, search: {} })
      }
    >
      <Tabs.List className={cx['tabs']}>
        {own.map(({ name, title }) => (
          <Tabs.Tab key={name} value={name}>
            {title}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      <div className={cx['panel']}>
        {own.map(({ name, Part }) => (
          <Tabs.Panel key={name} value={name}>
            <Part />
          </Tabs.Panel>
        ))}
      </div>
    </Tabs>
  )
}
