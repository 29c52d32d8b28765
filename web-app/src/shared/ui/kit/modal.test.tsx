import { Button, MantineProvider } from '@mantine/core'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, useState, type ReactNode } from 'react'
import { flushSync } from 'react-dom'
import { afterEach, expect, it, vi } from 'vitest'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { Confirm } from '@/shared/ui/Confirm'
import { Page } from '@/shared/ui/Page'
import { Menu } from './menu'
import { Modal } from './modal'

afterEach(cleanup)

function show(content: ReactNode) {
  render(
    <StrictMode>
      <MantineProvider env="test">
        <Page title="Heading">{content}</Page>
      </MantineProvider>
    </StrictMode>,
  )
}

/** A dialog that is there only while it is open. */
function Asking({ onDone, onEscape }: { onDone?: () => void; onEscape?: () => void }) {
  const [asked, setAsked] = useState(false)
  useHotkeys(onEscape === undefined ? {} : { Escape: onEscape })
  return (
    <>
      <button onClick={() => setAsked(true)}>Ask</button>
      {asked && (
        <Confirm
          opened
          title="Sure?"
          verb="Do it"
          onConfirm={() => Promise.resolve(onDone?.())}
          // A browser's own event has it gone before the next listener, too.
          onClose={() => flushSync(() => setAsked(false))}
        >
          <p>It is for good.</p>
        </Confirm>
      )}
    </>
  )
}

const focused = () => document.activeElement?.textContent

async function ask() {
  const opener = screen.getByRole('button', { name: 'Ask' })
  opener.focus()
  fireEvent.click(opener)
  await waitFor(() => expect(focused()).toBe('Do it'))
}

it('gives the focus back to what opened it, though it is taken away open', async () => {
  show(<Asking />)
  await ask()
  fireEvent.keyDown(document.activeElement ?? document, { key: 'Escape' })
  await waitFor(() => expect(focused()).toBe('Ask'))
  await ask()
  fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
  await waitFor(() => expect(focused()).toBe('Ask'))
})

it('gives the focus back while it fades, where it stays to be opened again', async () => {
  function Kept() {
    const [opened, setOpened] = useState(false)
    return (
      <>
        <button onClick={() => setOpened(true)}>Open</button>
        <Modal opened={opened} onClose={() => setOpened(false)} title="Kept">
          <button data-autofocus>Inside</button>
        </Modal>
      </>
    )
  }
  show(<Kept />)
  const opener = screen.getByRole('button', { name: 'Open' })
  opener.focus()
  fireEvent.click(opener)
  await waitFor(() => expect(focused()).toBe('Inside'))
  fireEvent.keyDown(document.activeElement ?? document, { key: 'Escape' })
  await waitFor(() => expect(focused()).toBe('Open'))
})

it('gives the focus to the heading, if what opened it is gone', async () => {
  function Passing() {
    const [there, setThere] = useState(true)
    return there && <Asking onDone={() => setThere(false)} />
  }
  show(<Passing />)
  await ask()
  fireEvent.click(screen.getByRole('button', { name: 'Do it' }))
  await waitFor(() => expect(focused()).toBe('Heading'))
})

it('gives the focus back to the button of the menu that it was asked in', async () => {
  function InMenu() {
    const [asked, setAsked] = useState(false)
    return (
      <>
        <Menu>
          <Menu.Target>
            <Button>More</Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => setAsked(true)}>Delete</Menu.Item>
          </Menu.Dropdown>
        </Menu>
        {asked && (
          <Modal opened onClose={() => setAsked(false)} title="Sure?">
            <button data-autofocus>Inside</button>
          </Modal>
        )}
      </>
    )
  }
  show(<InMenu />)
  fireEvent.click(screen.getByRole('button', { name: 'More' }))
  const item = await screen.findByRole('menuitem', { name: 'Delete' })
  item.focus()
  fireEvent.click(item)
  await waitFor(() => expect(focused()).toBe('Inside'))
  fireEvent.keyDown(document.activeElement ?? document, { key: 'Escape' })
  await waitFor(() => expect(focused()).toBe('More'))
})

it('keeps Escape from the page below', async () => {
  const onEscape = vi.fn()
  show(<Asking onEscape={onEscape} />)
  await ask()
  fireEvent.keyDown(document.activeElement ?? document, { key: 'Escape' })
  await waitFor(() => expect(focused()).toBe('Ask'))
  expect(onEscape).not.toHaveBeenCalled()
  fireEvent.keyDown(document.activeElement ?? document, { key: 'Escape' })
  expect(onEscape).toHaveBeenCalledOnce()
})
