import { Button } from '@mantine/core'
import { Outlet } from '@tanstack/react-router'
import { basePath } from '@/shared/config'
import { Banner } from './Banner'
import { Mark } from './Mark'
import { ThemeMenu } from './ThemeMenu'
import cx from './shell.module.css'

/** What is around a page for those who have nothing but its address: no place of the app that asks for a login. */
export function AloneShell() {
  return (
    <div className={cx['shell']} data-alone>
      <header className={cx['bar']}>
        <span className={`${cx['brand'] ?? ''} ${cx['aloneBrand'] ?? ''}`}>
          <Mark />
          Sidereal
        </span>
        <ThemeMenu />
        {/* Who is not signed in is asked to there; not back to this page: its address is in no other. */}
        <Button component="a" href={`${basePath}/app/`} variant="default" size="compact-md">
          Open Sidereal
        </Button>
      </header>
      <main className={cx['main']} id="page" tabIndex={-1}>
        <Banner />
        <Outlet />
      </main>
    </div>
  )
}
