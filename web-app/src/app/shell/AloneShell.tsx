import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Outlet } from '@tanstack/react-router'
import { providerQuery } from '@/shared/api/provider'
import { loginUrl } from '@/shared/api/session'
import { Banner } from './Banner'
import { Mark } from './Mark'
import { ThemeMenu } from './ThemeMenu'
import cx from './shell.module.css'

/** What is around a page for those who have nothing but its address: no place of the app that asks for a login. */
export function AloneShell() {
  const { data: provider } = useQuery(providerQuery)
  return (
    <div className={cx['shell']} data-alone>
      <header className={cx['bar']}>
        <span className={`${cx['brand'] ?? ''} ${cx['aloneBrand'] ?? ''}`}>
          <Mark />
          Sidereal
        </span>
        <ThemeMenu />
        {provider !== undefined && provider.mode !== 'local' && (
          // Not back to this page: its address is in no other.
          <Button component="a" href={loginUrl('/app/')} variant="default" size="compact-md">
            Sign in
          </Button>
        )}
      </header>
      <main className={cx['main']} id="page" tabIndex={-1}>
        <Banner />
        <Outlet />
      </main>
    </div>
  )
}
