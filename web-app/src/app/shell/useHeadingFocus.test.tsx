import {
  createMemoryHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  Outlet,
  RouterProvider,
  useRouterState,
} from '@tanstack/react-router'
import { act, cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, useSyncExternalStore } from 'react'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createStore } from '@/shared/lib/store'
import { Page } from '@/shared/ui/Page'
import { useHeadingFocus } from './useHeadingFocus'

/** Whether what the slow page reads has come. */
let come = createStore(false)
beforeEach(() => {
  come = createStore(false)
})
afterEach(cleanup)

function Root() {
  useHeadingFocus(useRouterState({ select: (state) => state.resolvedLocation?.pathname }))
  return (
    <main id="page" tabIndex={-1}>
      <Outlet />
    </main>
  )
}

function Slow() {
  const isHere = useSyncExternalStore(come.subscribe, come.get)
  return isHere ? <Page title="Slow">here</Page> : <p>Reading</p>
}

async function show() {
  const root = createRootRoute({ component: Root })
  const route = (path: string, component: () => React.ReactElement) =>
    createRoute({ getParentRoute: () => root, path, component })
  const first = () => (
    <Page title="First">
      <Link to="/help">to the second</Link> <Link to="/profile">to the slow one</Link>
      <Link to="." search={{ q: 'word' }}>
        filter
      </Link>
    </Page>
  )
  const router = createRouter({
    routeTree: root.addChildren([
      route('/', first),
      route('/help', () => <Page title="Second">here</Page>),
      route('/profile', Slow),
    ]),
    history: createMemoryHistory({ initialEntries: ['/'] }),
  })
  render(
    <StrictMode>
      <RouterProvider router={router} />
    </StrictMode>,
  )
  await screen.findByRole('heading', { name: 'First' })
  await waitFor(() => expect(router.state.resolvedLocation?.pathname).toBe('/'))
  return router
}

const follow = (name: string) => {
  const link = screen.getByRole('link', { name })
  link.focus()
  fireEvent.click(link)
}
const heading = (name: string) => screen.getByRole('heading', { name })

it('gives the focus to the heading of the page that a link, and Back, lead to', async () => {
  const router = await show()
  expect(document.activeElement).toBe(document.body)
  follow('to the second')
  await waitFor(() => expect(document.activeElement).toBe(heading('Second')))
  act(() => router.history.back())
  await waitFor(() => expect(document.activeElement).toBe(heading('First')))
})

it('waits for a heading that comes with what the page reads', async () => {
  await show()
  follow('to the slow one')
  await screen.findByText('Reading')
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('main')))
  act(() => come.set(true))
  await waitFor(() => expect(document.activeElement).toBe(heading('Slow')))
})

it('leaves the focus to who has begun to do something', async () => {
  await show()
  follow('to the slow one')
  await waitFor(() => expect(document.activeElement).toBe(screen.getByRole('main')))
  fireEvent.pointerDown(document.body)
  act(() => come.set(true))
  await screen.findByRole('heading', { name: 'Slow' })
  expect(document.activeElement).toBe(screen.getByRole('main'))
})

it('leaves the focus where only search parameters change', async () => {
  const router = await show()
  follow('filter')
  await waitFor(() => expect(router.state.resolvedLocation?.search).toEqual({ q: 'word' }))
  expect(document.activeElement).toBe(screen.getByRole('link', { name: 'filter' }))
})
