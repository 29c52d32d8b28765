import { Button } from '@mantine/core'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { arrivals } from '@/shared/api/apply'
import { jobKeys, jobListQuery, type JobSummary } from '@/shared/api/jobs'
import { useNextPage } from '@/shared/api/pages'
import { plural } from '@/shared/lib/format'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { useStore } from '@/shared/lib/store'
import { DataGrid } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Page } from '@/shared/ui/Page'
import { ErrorPanel, Loading, Notice, Stale } from '@/shared/ui/States'
import { BulkBar } from './BulkBar'
import { FilterBar } from './FilterBar'
import { isFiltered } from './filter'
import { jobColumns } from './columns'
import { useSelection } from './useSelection'
import cx from './jobs.module.css'

const route = getRouteApi('/jobs')
const rowId = (job: JobSummary) => job.id

export function JobsPage() {
  const filter = route.useSearch()
  const client = useQueryClient()
  const navigate = useNavigate()
  const list = useInfiniteQuery(jobListQuery(filter))
  const rows = useMemo(() => list.data?.pages.flatMap(({ items }) => items) ?? [], [list.data])
  const ids = useMemo(() => rows.map(rowId), [rows])
  const selection = useSelection(ids)
  const [active, setActive] = useState<string>()
  const search = useRef<HTMLInputElement>(null)

  const step = (by: number) => {
    const at = active === undefined ? -1 : ids.indexOf(active)
    setActive(ids[Math.max(0, Math.min(ids.length - 1, at + by))])
  }
  useHotkeys({
    '/': () => search.current?.focus(),
    j: () => step(1),
    k: () => step(-1),
    x: () => active !== undefined && selection.toggle(active),
    X: () => active !== undefined && selection.extend(active),
    Escape: selection.clear,
    Enter: () => active !== undefined && void navigate({ to: '/jobs/$jobId', params: { jobId: active } }),
  })

  const onEnd = useNextPage(list)

  const refresh = useCallback(() => {
    arrivals.set(new Set())
    void client.invalidateQueries({ queryKey: jobKeys.lists })
  }, [client])
  const { chosen, toggle, extend, toggleAll } = selection
  const columns = useMemo(
    () =>
      jobColumns({
        chosen,
        toggle,
        extend,
        toggleAll,
        all: ids.length > 0 && chosen.size === ids.length,
        everyone: filter.owner !== undefined,
      }),
    [chosen, toggle, extend, toggleAll, ids.length, filter.owner],
  )
  return (
    <Page
      title="Jobs"
      wide
      actions={
        <Button renderRoot={(props) => <Link to="/cutout" {...props} />} leftSection={<Icon name="plus" />}>
          New job
        </Button>
      }
    >
      <FilterBar filter={filter} searchRef={search} />
      <Arrivals held={chosen.size > 0} onShow={refresh} />
      {list.error !== null && list.data !== undefined && (
        <Stale since={list.dataUpdatedAt} error={list.error} retry={() => void list.refetch()} />
      )}
      {list.data === undefined ? (
        list.error === null ? (
          <Loading what="Reading the jobs" />
        ) : (
          <ErrorPanel error={list.error} retry={() => void list.refetch()} />
        )
      ) : rows.length === 0 ? (
        <NoJobs filtered={isFiltered(filter)} />
      ) : (
        <div className={cx['table']}>
          <DataGrid
            label="Jobs, newest first"
            rows={rows}
            columns={columns}
            rowId={rowId}
            total={list.hasNextPage ? undefined : rows.length}
            active={active}
            follows
            selected={chosen}
            rowHeight={53}
            onEnd={onEnd}
            onRow={({ id }, event) => {
              // Links and boxes in a row do what they do.
              if ((event.target as Element).closest('a, button, input, label') !== null) return
              if (event.shiftKey) extend(id)
              else void navigate({ to: '/jobs/$jobId', params: { jobId: id } })
            }}
          />
          <p className={cx['end']} role="status">
            {list.isFetchingNextPage
              ? 'Reading more…'
              : list.hasNextPage
                ? `${plural(rows.length, 'job')} so far`
                : `${plural(rows.length, 'job')}, all of them`}
          </p>
        </div>
      )}
      <BulkBar filter={filter} selection={selection} complete={!list.hasNextPage} onDone={refresh} />
    </Page>
  )
}

/** New jobs do not push others away from under the pointer: they are shown when asked for, or when nothing is lost. */
function Arrivals({ held, onShow }: { held: boolean; onShow: () => void }) {
  const number = useStore(arrivals).size
  useEffect(() => {
    if (number > 0 && !held && window.scrollY < 40) onShow()
  }, [number, held, onShow])
  // What came while another page was open is in what this one has read.
  useEffect(() => () => arrivals.set(new Set()), [])
  if (number === 0) return null
  return (
    <button type="button" className={cx['arrivals']} onClick={onShow}>
      <Icon name="refresh" size={16} />
      {plural(number, 'new job')}: show
    </button>
  )
}

function NoJobs({ filtered }: { filtered: boolean }) {
  if (filtered) {
    return (
      <Notice
        icon="search"
        title="No job matches"
        actions={
          <Button variant="default" renderRoot={(props) => <Link to="/jobs" {...props} />}>
            Clear the filter
          </Button>
        }
      >
        <p>Try another word, phase or time.</p>
      </Notice>
    )
  }
  return (
    <Notice
      icon="inbox"
      title="No jobs yet"
      actions={
        <>
          <Button renderRoot={(props) => <Link to="/cutout" {...props} />}>New cutouts</Button>
          <Button variant="default" renderRoot={(props) => <Link to="/help" {...props} />}>
            How it works
          </Button>
        </>
      }
    >
      <p>Paste a list of positions, and get a piece of every image that has them.</p>
    </Notice>
  )
}
