import { QueryClient, QueryClientProvider, useInfiniteQuery } from '@tanstack/react-query'
import { act, cleanup, render, screen, waitFor } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import { useNextPage } from '@/shared/api/pages'
import { DataGrid } from './DataGrid'

/** Five rows, each a page of its own: the end is always in view. */
function Rows({ read }: { read: (page: number) => Promise<number> }) {
  const list = useInfiniteQuery({
    queryKey: ['rows'],
    queryFn: ({ pageParam }) => read(pageParam),
    initialPageParam: 0,
    getNextPageParam: (page) => (page < 4 ? page + 1 : undefined),
  })
  return (
    <DataGrid
      label="Rows"
      rows={list.data?.pages ?? []}
      columns={[{ id: 'row', header: 'Row', width: '1fr', cell: (row) => `row ${row}` }]}
      rowId={String}
      onEnd={useNextPage(list)}
    />
  )
}

function show(client: QueryClient, read: (page: number) => Promise<number>) {
  render(
    <QueryClientProvider client={client}>
      <Rows read={read} />
    </QueryClientProvider>,
  )
}

afterEach(cleanup)

const shown = () => screen.queryAllByRole('cell').map(({ textContent }) => textContent)
const all = ['row 0', 'row 1', 'row 2', 'row 3', 'row 4']

it('comes to the last page, whatever is refreshed as it is asked for', async () => {
  const client = new QueryClient()
  let refreshes = 3
  show(client, (page) => {
    if (page > 0 && refreshes > 0) {
      refreshes -= 1
      // Before React has seen that a page is being read.
      queueMicrotask(() => void client.invalidateQueries())
    }
    return Promise.resolve(page)
  })
  await waitFor(() => expect(shown()).toEqual(all))
  expect(refreshes).toBe(0)
})

it('asks once for a page that cannot be read, and again after a refresh', async () => {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  let isAway = true
  let asked = 0
  show(client, (page) => {
    if (page === 2) asked += 1
    return page === 2 && isAway ? Promise.reject(new Error('away')) : Promise.resolve(page)
  })
  await waitFor(() => expect(client.getQueryState(['rows'])?.status).toBe('error'))
  expect(shown()).toEqual(['row 0', 'row 1'])
  isAway = false
  await act(() => client.invalidateQueries())
  await waitFor(() => expect(shown()).toEqual(all))
  // Refused, read, and read once more with all others if the refresh was before it.
  expect(asked).toBeLessThan(4)
})

it('takes the focus from row to row with the keys, but not as it opens', async () => {
  const grid = (active: string) => (
    <DataGrid
      label="Rows"
      rows={[0, 1, 2]}
      columns={[{ id: 'row', header: 'Row', width: '1fr', cell: (row) => `row ${row}` }]}
      rowId={String}
      active={active}
      follows
    />
  )
  const { rerender } = render(grid('0'))
  await screen.findByRole('cell', { name: 'row 2' })
  expect(document.activeElement).toBe(document.body)
  rerender(grid('2'))
  await waitFor(() => expect(document.activeElement?.textContent).toBe('row 2'))
  rerender(grid('1'))
  await waitFor(() => expect(document.activeElement?.textContent).toBe('row 1'))
})

it('takes the focus along only while keys change the row', async () => {
  const grid = (active: string, follows: boolean) => (
    <DataGrid
      label="Rows"
      rows={[0, 1, 2]}
      columns={[{ id: 'row', header: 'Row', width: '1fr', cell: (row) => `row ${row}` }]}
      rowId={String}
      active={active}
      follows={follows}
    />
  )
  const { rerender } = render(grid('0', false))
  await screen.findByRole('cell', { name: 'row 2' })
  rerender(grid('1', true))
  await waitFor(() => expect(document.activeElement?.textContent).toBe('row 1'))
  rerender(grid('2', false))
  rerender(grid('2', true))
  expect(document.activeElement?.textContent).toBe('row 1')
})
