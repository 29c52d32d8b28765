import { ActionIcon } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { api, content } from '@/shared/api/client'
import { live } from '@/shared/api/events'
import { meQuery } from '@/shared/api/me'
import { announceLeft } from '@/shared/api/session'
import { isApple } from '@/shared/lib/hotkeys'
import { useStore } from '@/shared/lib/store'
import { Icon } from '@/shared/ui/Icon'
import { complain } from '@/shared/ui/toasts'
import { BarMenu } from './BarMenu'
import { Mark } from './Mark'
import { ThemeMenu } from './ThemeMenu'
import cx from './shell.module.css'

type TopBarProps = { menu: boolean; onMenu: () => void; onSearch: () => void }

export function TopBar({ menu, onMenu, onSearch }: TopBarProps) {
  return (
    <header className={cx['bar']}>
      <ActionIcon
        className={cx['menuButton']}
        variant="subtle"
        size="lg"
        aria-label="Menu"
        aria-expanded={menu}
        onClick={onMenu}
      >
        <Icon name={menu ? 'close' : 'menu'} size={22} />
      </ActionIcon>
      <Link to="/" className={`${cx['brand'] ?? ''} ${cx['barBrand'] ?? ''}`}>
        <Mark />
        Sidereal
      </Link>
      <button type="button" className={cx['search']} onClick={onSearch}>
        <Icon name="search" />
        <span>Go to a page or a job</span>
        <kbd aria-hidden="true">{isApple ? '⌘K' : 'Ctrl K'}</kbd>
      </button>
      <div className={cx['grow']} />
      <LiveState />
      <ThemeMenu />
      <PersonMenu />
    </header>
  )
}

const liveWords = { open: 'Live', connecting: 'Connecting', lost: 'Not live' } as const

function LiveState() {
  const state = useStore(live)
  return (
    <span
      className={cx['live']}
      data-live={state}
      title="Whether this page is told of changes as they happen"
    >
      <span className={cx['dot']} />
      <span className={cx['liveWord']}>{liveWords[state]}</span>
    </span>
  )
}

function PersonMenu() {
  const { data: me } = useQuery(meQuery)
  const leave = useMutation({
    mutationFn: () => content(api.POST('/account/logout')),
    onSuccess: ({ location }) => {
      announceLeft()
      window.location.assign(location)
    },
    onError: complain,
  })
  return (
    <BarMenu label={me === undefined ? 'Account' : `Account of ${me.name}`} icon="user">
      <Link to="/profile" role="menuitem">
        <Icon name="user" />
        Profile and tokens
      </Link>
      {me?.by === 'session' && (
        <button type="button" role="menuitem" onClick={() => leave.mutate()}>
          <Icon name="logout" />
          Sign out
        </button>
      )}
    </BarMenu>
  )
}
