import { Button } from '@mantine/core'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { isPicture, ownUrls } from '@/shared/api/results'
import { SkyMap } from '@/shared/charts/SkyMap'
import { pointsOf, retryable, type Entry } from '@/shared/job/manifest'
import { Thumbnails } from '@/shared/job/Thumbnails'
import { count, plural } from '@/shared/lib/format'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { DataGrid } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { useSorted, type Order as TableOrder } from '@/shared/ui/useSorted'
import { Chosen } from './Chosen'
import { ColourPictures } from './ColourPictures'
import { liveTally } from './live'
import { LookBar } from './LookBar'
import type { Order } from './look'
import { RetryButton } from './Retry'
import { rowColumns } from './rowColumns'
import cx from './job.module.css'

const route = getRouteApi('/jobs/$jobId')
const entryId = ({ key }: Entry) => String(key)

type CutoutsProps = {
  job: Job
  entries: readonly Entry[]
  /** Whether these are all: more come while the job runs. */
  final: boolean
}

/** The results of a cutout job: map, table and pictures of one choice, which the address has. */
export function Cutouts({ job, entries: all, final }: CutoutsProps) {
  const { row: chosen, show, find = '', stretch, range, order, size } = route.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId' })
  const sought = useDeferredValue(find)
  const shown = useMemo(() => {
    const text = sought.toLowerCase()
    const matching = all.filter(
      ({ data, status }) =>
        (show === undefined || status === show) &&
        (text === '' || `${data.id} ${data.band ?? ''} ${data.image ?? ''}`.toLowerCase().includes(text)),
    )
    return order === undefined ? matching : ordered(matching, order)
  }, [all, show, sought, order])
  const points = useMemo(() => pointsOf(all), [all])
  // Until one is chosen, the first that has a picture is looked at.
  const current = all.find(({ key }) => key === chosen) ?? all.find(({ status }) => status === 'ok') ?? all[0]

  type Search = ReturnType<typeof route.useSearch>
  const change = useCallback(
    (part: Partial<Search>) =>
      void navigate({ search: (old) => ({ ...old, ...part }), replace: true, resetScroll: false }),
    [navigate],
  )
  // Only the keys take the focus along: who clicks at a picture stays there.
  const [byKeys, setByKeys] = useState(false)
  const choose = useCallback(
    (key: number | undefined) => {
      setByKeys(false)
      change({ row: key })
    },
    [change],
  )
  useFollowedFile(all, chosen, choose)

  // The keys go from row to row as the table has them.
  const [tableOrder, setTableOrder] = useState<TableOrder>()
  const rows = useSorted(shown, rowColumns, entryId, tableOrder)
  const step = (by: number) => {
    const at = rows.findIndex(({ key }) => key === chosen)
    setByKeys(true)
    change({ row: rows[Math.max(0, Math.min(rows.length - 1, at + by))]?.key })
  }
  useHotkeys({ j: () => step(1), k: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1) })

  const tally = liveTally(all, job.jobInfo)
  const numbers = final ? { ...tally, all: all.length } : tally
  const tiles = [
    [undefined, 'all', numbers.all],
    ['ok', 'cut', numbers.ok],
    ['failed', 'failed', numbers.failed],
    ...(final ? [] : [['waiting', 'not yet', numbers.waiting] as const]),
  ] as const
  // A point has the number of the first entry of its row.
  const point = useMemo(() => {
    const first = current && all.find(({ data }) => data.row === current.data.row && data.ra !== null)
    return points.find(({ id }) => id === first?.key)
  }, [all, points, current])
  const look = { stretch, range, order, size }
  const areMade = all.every(({ data }) => data.file === null || isPicture(data.file))
  const again = final ? retryable(all) : 0
  return (
    <>
      <div className={cx['summary']}>
        <div className={cx['tiles']} role="group" aria-label="Which rows are shown">
          {tiles.map(([status, label, number]) => (
            <button
              key={label}
              type="button"
              className={cx['tile']}
              aria-pressed={show === status}
              onClick={() => change({ show: status })}
            >
              <strong>{number === undefined ? '–' : count(number)}</strong> {label}
            </button>
          ))}
        </div>
        <input
          type="search"
          className={cx['find']}
          aria-label="Find a row by name, band or image"
          placeholder="Name, band or image"
          value={find}
          onChange={({ currentTarget: { value } }) => change({ find: value === '' ? undefined : value })}
        />
        {again > 0 && <RetryButton job={job}>Retry {plural(again, 'row')}</RetryButton>}
        {final && numbers.failed > 0 && (
          <Button
            variant="default"
            leftSection={<Icon name="edit" />}
            renderRoot={(props) => (
              <Link
                to="/cutout"
                search={{ service: job.service, from: job.jobId, failed: true }}
                {...props}
              />
            )}
          >
            Change what failed
          </Button>
        )}
      </div>
      <div className={cx['trio']}>
        <Card title="Sky">
          <SkyMap
            label={`Map of ${plural(points.length, 'position')}; the table has the same`}
            points={points}
            active={point?.id}
            onPick={choose}
          />
        </Card>
        <Chosen job={job} entry={current} look={look} />
      </div>
      <ColourPictures job={job} />
      {numbers.ok > 0 && (
        <Card title="Pictures">
          <LookBar key={range ?? ''} look={look} made={areMade} onLook={change} />
          <Thumbnails urls={ownUrls(job)} entries={shown} chosen={chosen} look={look} onChoose={choose} />
        </Card>
      )}
      <Card
        title="Rows"
        flush
        aside={<span className={cx['dim']}>{final ? plural(shown.length, 'row') : soFar(shown)}</span>}
      >
        {shown.length === 0 ? (
          <p className={cx['nothing']}>
            {all.length === 0 ? 'No row is known yet.' : 'No row matches what is shown and sought.'}
          </p>
        ) : (
          <DataGrid
            label="Rows of the job"
            boxed
            rows={shown}
            columns={rowColumns}
            rowId={entryId}
            total={shown.length}
            active={chosen === undefined ? undefined : String(chosen)}
            follows={byKeys}
            order={tableOrder}
            onOrder={setTableOrder}
            onRow={({ key }) => choose(key)}
          />
        )}
      </Card>
    </>
  )
}

/** A position of which nothing is there yet is no cutout. */
function soFar(entries: readonly Entry[]): string {
  const waiting = entries.filter(({ status }) => status === 'waiting').length
  const there = `${plural(entries.length - waiting, 'cutout')} so far`
  return waiting === 0 ? there : `${there}, ${plural(waiting, 'position')} without any yet`
}

const values: Record<Order, (entry: Entry) => string | number> = {
  name: ({ data }) => data.id,
  band: ({ data }) => data.band ?? '',
  ra: ({ data }) => data.ra ?? 0,
  dec: ({ data }) => data.dec ?? 0,
}

function ordered(entries: readonly Entry[], by: Order): Entry[] {
  const value = values[by]
  return [...entries].sort((a, b) => {
    const [one, other] = [value(a), value(b)]
    return one < other ? -1 : one > other ? 1 : a.key - b.key
  })
}

/** With the manifest rows get other numbers: what was chosen stays so, by its file. */
function useFollowedFile(all: readonly Entry[], chosen: number | undefined, choose: (key: number) => void) {
  const before = useRef<{ all: readonly Entry[]; chosen: number | undefined }>({ all, chosen })
  useEffect(() => {
    const old = before.current
    before.current = { all, chosen }
    if (old.all === all || old.chosen !== chosen || chosen === undefined) return
    const entry = old.all.find(({ key }) => key === chosen)
    const now = all.find(({ key }) => key === chosen)
    if (entry === undefined) return
    const isSame = (one: Entry | undefined) =>
      one !== undefined && one.data.row === entry.data.row && one.data.file === entry.data.file
    if (isSame(now)) return
    const next = all.find(isSame) ?? all.find(({ data }) => data.row === entry.data.row)
    if (next !== undefined) choose(next.key)
  }, [all, chosen, choose])
}
