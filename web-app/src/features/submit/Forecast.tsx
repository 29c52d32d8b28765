import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { useMemo } from 'react'
import { sentence } from '@/shared/api/problem'
import type { ListRow } from '@/shared/astro/positions'
import { SkyMap, type SkyPoint } from '@/shared/charts/SkyMap'
import { bytes, count, plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { collectionsQuery, footprintsQuery, type Checked } from './check'
import cx from './submit.module.css'

type ForecastProps = {
  rows: readonly ListRow[] | undefined
  collections: readonly string[]
  check: Pick<UseQueryResult<Checked>, 'data' | 'error' | 'isFetching'>
  /** What was told of the rows that are there now. */
  told: Checked | undefined
  asks: boolean
}

/** What would come of the form as it is: on the sky, and in numbers. */
export function Forecast({ rows, collections, check, told, asks }: ForecastProps) {
  const { data: known } = useQuery(collectionsQuery)
  const names = useMemo(
    () => (collections.length > 0 ? [...collections] : (known?.items.map(({ name }) => name) ?? [])).sort(),
    [collections, known],
  )
  const there = known?.items.filter(({ name }) => names.includes(name)).map(({ name }) => name) ?? []
  const { data: outlines } = useQuery({ ...footprintsQuery(there), enabled: there.length > 0 })
  const missed = useMemo(
    () => new Set(told?.rows.filter(({ images }) => images === 0).map(({ row }) => row)),
    [told],
  )
  const points = useMemo(
    () =>
      (rows ?? []).flatMap(({ ra, dec, cells, line }, index): SkyPoint[] => {
        if (ra === undefined || dec === undefined) return []
        const tone = missed.has(index + 1) ? 'bad' : 'plain'
        return [{ id: index + 1, name: cells.OBJID ?? `line ${line}`, ra, dec, tone }]
      }),
    [rows, missed],
  )
  return (
    <Card
      title="What will come of it"
      aside={check.isFetching ? <span className={cx['dimText']}>Asking…</span> : null}
    >
      <SkyMap
        label={`Map of ${plural(points.length, 'position')} and of where there are images`}
        points={points}
        outlines={outlines ?? noOutlines}
      />
      <Numbers check={check} asks={asks} />
    </Card>
  )
}

const noOutlines: number[][][] = []

function Numbers({ check: { data, error }, asks }: Pick<ForecastProps, 'check' | 'asks'>) {
  if (!asks) return <p className={cx['dimText']}>Counts come with the first position.</p>
  if (error !== null) {
    return (
      <p className={cx['fault']} role="alert">
        It could not be checked: {sentence(error)}
      </p>
    )
  }
  if (data === undefined) return <p className={cx['dimText']}>Asking the server…</p>
  const about = data.exact ? '' : 'about '
  const { quota } = data
  const room = quota.storedBytes == null ? undefined : quota.storedBytes - data.bytes
  return (
    <>
      <dl className={cx['numbers']}>
        <div>
          <dt>Positions</dt>
          <dd>{count(data.positions)}</dd>
        </div>
        <div>
          <dt>Files</dt>
          <dd>
            {about}
            {count(data.files)}
          </dd>
        </div>
        <div>
          <dt>Size</dt>
          <dd>
            {about}
            {bytes(data.bytes)}
          </dd>
        </div>
        {room !== undefined && (
          <div>
            <dt>Room left after it</dt>
            <dd>{room < 0 ? 'not enough' : bytes(room)}</dd>
          </div>
        )}
      </dl>
      {data.unmatched > 0 && (
        <p className={cx['warn']}>
          <Icon name="warning" size={16} />
          {plural(data.unmatched, 'position')} {data.unmatched === 1 ? 'lies' : 'lie'} on no image that is
          asked for.
        </p>
      )}
      {data.next != null && (
        <p className={cx['dimText']}>
          Of the rows with problems, the first {count(data.rows.length)} are marked.
        </p>
      )}
      {data.failures > data.unmatched && (
        <p className={cx['warn']}>
          <Icon name="warning" size={16} />
          {plural(data.failures - data.unmatched, 'cutout')} would fail.
        </p>
      )}
      {data.faults.map(({ parameter, row, message }) => (
        <p key={`${parameter} ${row ?? ''} ${message}`} className={cx['fault']}>
          {parameter}
          {row == null ? '' : `, row ${row}`}: {message}
        </p>
      ))}
    </>
  )
}
