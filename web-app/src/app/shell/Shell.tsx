import { CatchBoundary, Outlet, useRouterState } from '@tanstack/react-router'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useState } from 'react'
import { meQuery } from '@/shared/api/me'
import { session } from '@/shared/api/session'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { useStore } from '@/shared/lib/store'
import { Toasts } from '@/shared/ui/Toasts'
import { AloneShell } from './AloneShell'
import { Banner } from './Banner'
import { MissingPart } from './MissingPart'
import { Navigation } from './Navigation'
import { SignedOut } from './SignedOut'
import { TopBar } from './TopBar'
import { useGoKeys } from './useGoKeys'
import { useHeadingFocus } from './useHeadingFocus'
import { useIsShared } from './useIsShared'
import cx from './shell.module.css'

const Palette = lazy(() => import('./Palette').then(({ Palette: component }) => ({ default: component })))
const ShortcutSheet = lazy(() =>
  import('./ShortcutSheet').then(({ ShortcutSheet: component }) => ({ default: component })),
)
const SignInAgain = lazy(() =>
  import('./SignInAgain').then(({ SignInAgain: component }) => ({ default: component })),
)

/** What is around every page. */
export function Shell() {
  const isShared = useIsShared()
  const hasLeft = useStore(session) === 'left'
  if (isShared) return <AloneShell />
  return hasLeft ? <SignedOut /> : <SignedIn />
}

function SignedIn() {
  // Who it is decides what is shown, and whether anything is: asked before all else.
  useQuery(meQuery)
  const [palette, setPalette] = useState(false)
  const [sheet, setSheet] = useState(false)
  const [menu, setMenu] = useState(false)
  const state = useStore(session)
  const path = useRouterState({ select: (state) => state.resolvedLocation?.pathname })
  useGoKeys()
  useHotkeys({ 'mod+k': () => setPalette(true), '?': () => setSheet(true) })
  useHeadingFocus(path)

  return (
    <div className={cx['shell']} data-menu={menu || undefined}>
      <a className={cx['skip']} href="#page">
        Skip to the page
      </a>
      <TopBar menu={menu} onMenu={() => setMenu(!menu)} onSearch={() => setPalette(true)} />
      <Navigation onGo={() => setMenu(false)} onKeys={() => setSheet(true)} />
      <main className={cx['main']} id="page" tabIndex={-1}>
        <Banner />
        <Outlet />
      </main>
      <Toasts />
      <CatchBoundary getResetKey={() => `${palette} ${sheet} ${state}`} errorComponent={MissingPart}>
        <Suspense>
          {palette && <Palette onClose={() => setPalette(false)} />}
          {sheet && <ShortcutSheet onClose={() => setSheet(false)} />}
          {state === 'out' && <SignInAgain />}
        </Suspense>
      </CatchBoundary>
    </div>
  )
}
