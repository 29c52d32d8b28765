import { MantineProvider } from '@mantine/core'
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react'
import { StrictMode, useState } from 'react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { withoutRows, withRow } from '@/shared/astro/edits'
import { parseList } from '@/shared/astro/positions'
import { ListRows } from './ListRows'

beforeEach(() => {
  // Of a box without a height no row is in view.
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(400)
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(400)
})
afterEach(cleanup)

function Typed() {
  const [text, setText] = useState('a,10,20\nb,bad,20\nc,10,200\nd,30,20')
  const list = parseList(text)
  return (
    <ListRows
      list={list}
      found={[]}
      onEdit={(index, edit) => setText(withRow(text, list, {}, index, edit))}
      onRemove={(indexes) => setText(withoutRows(text, list, {}, indexes))}
    />
  )
}

const show = () =>
  render(
    <StrictMode>
      <MantineProvider env="test">
        <Typed />
      </MantineProvider>
    </StrictMode>,
  )

async function change(line: number): Promise<HTMLElement> {
  fireEvent.click(await screen.findByRole('button', { name: `Change line ${line}` }))
  return screen.findByRole('textbox', { name: `RA of line ${line}` })
}

const focused = () => document.activeElement?.getAttribute('aria-label')

it('gives the focus back to the button of the row that was left as it was', async () => {
  show()
  fireEvent.keyDown(await change(2), { key: 'Escape' })
  await waitFor(() => expect(focused()).toBe('Change line 2'))
  await change(4)
  fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
  await waitFor(() => expect(focused()).toBe('Change line 4'))
})

it('gives the focus to the button of the row that was saved', async () => {
  show()
  const field = await change(2)
  fireEvent.change(field, { target: { value: '11' } })
  fireEvent.keyDown(field, { key: 'Enter' })
  await waitFor(() => expect(focused()).toBe('Change line 2'))
  expect(screen.queryByText('bad 20')).toBeNull()
})

it('goes on to the next faulty row where only those are shown, and to the next after one left out', async () => {
  show()
  fireEvent.click(screen.getByRole('checkbox', { name: 'Only rows with something to say' }))
  const field = await change(2)
  fireEvent.change(field, { target: { value: '11' } })
  fireEvent.keyDown(field, { key: 'Enter' })
  await waitFor(() => expect(focused()).toBe('Change line 3'))
  fireEvent.click(screen.getByRole('checkbox', { name: 'Only rows with something to say' }))
  await change(1)
  fireEvent.click(screen.getByRole('button', { name: 'Leave out' }))
  await waitFor(() => expect(focused()).toBe('Change line 1'))
})
