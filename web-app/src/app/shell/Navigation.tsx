import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, type LinkProps } from '@tanstack/react-router'
import { fewJobsQuery } from '@/shared/api/jobs'
import { isOperator, meQuery, servicesQuery } from '@/shared/api/me'
import { useStore } from '@/shared/lib/store'
import { session } from '@/shared/api/session'
import { Icon, type IconName } from '@/shared/ui/Icon'
import { Mark } from './Mark'
import cx from './shell.module.css'

type Place = {
  to: LinkProps['to']
  label: string
  icon: IconName
  operators?: boolean
  /** Only where the server has this service. */
  service?: string
  exact?: boolean
  /** It has another policy than the other pages, which comes with its document. */
  reload?: boolean
}

/** The places of the app, in order. A page of a service comes here with its route. */
const places: readonly Place[] = [
  { to: '/', label: 'Home', icon: 'home', exact: true },
  { to: '/jobs', label: 'Jobs', icon: 'jobs' },
  { to: '/viewer', label: 'Viewer', icon: 'image', reload: true },
  { to: '/dashboards/docs', label: 'Documentation', icon: 'book', service: 'dashboard' },
  { to: '/profile', label: 'Profile', icon: 'user' },
  { to: '/admin', label: 'Operations', icon: 'admin', operators: true },
  { to: '/help', label: 'Help', icon: 'help' },
]

export function Navigation({ onGo, onKeys }: { onGo: () => void; onKeys: () => void }) {
  const { data: me } = useQuery(meQuery)
  const enabled = useStore(session) === 'in'
  const { data: served } = useQuery({ ...servicesQuery, enabled })
  const shown = places.filter(
    ({ operators = false, service }) =>
      (!operators || (me !== undefined && isOperator(me))) &&
      (service === undefined || served?.services.some(({ name }) => name === service) === true),
  )
  return (
    <>
      <button type="button" className={cx['scrim']} aria-label="Close the menu" onClick={onGo} />
      <nav className={cx['nav']} aria-label="Places">
        <Link to="/" className={cx['brand']} onClick={onGo}>
          <Mark />
          Sidereal
        </Link>
        <Button
          className={cx['new']}
          renderRoot={(props) => <Link to="/cutout" {...props} />}
          leftSection={<Icon name="plus" />}
          onClick={onGo}
        >
          New cutouts
        </Button>
        <ul className={cx['list']}>
          {shown.map(({ to, label, icon, exact = false, reload = false }) => (
            <li key={label}>
              <Link
                to={to}
                className={cx['link']}
                activeOptions={{ exact, includeSearch: false }}
                onClick={onGo}
                reloadDocument={reload}
              >
                <Icon name={icon} />
                {label}
                {to === '/jobs' && <RunningTally />}
              </Link>
            </li>
          ))}
        </ul>
        <div className={cx['foot']}>
          <button type="button" className={`${cx['link'] ?? ''} ${cx['plain'] ?? ''}`} onClick={onKeys}>
            <kbd>?</kbd> Keys
          </button>
        </div>
      </nav>
    </>
  )
}

const running = { phase: ['QUEUED' as const, 'EXECUTING' as const] }

function RunningTally() {
  const enabled = useStore(session) === 'in'
  const { data } = useQuery({ ...fewJobsQuery(running, 10), enabled })
  const number = data?.items.length ?? 0
  if (number === 0) return null
  const text = number >= 10 ? '9+' : String(number)
  return (
    <span className={cx['tally']} title="Queued or running">
      {text}
    </span>
  )
}
