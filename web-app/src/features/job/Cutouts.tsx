import { Button } from '@mantine/core'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useMemo } from 'react'
import type { Job } from '@/shared/api/jobs'
import { previewUrl, resultUrl, type Manifest, type ManifestRow } from '@/shared/api/results'
import { formatDec, formatRa } from '@/shared/astro/coords'
import { SkyMap } from '@/shared/charts/SkyMap'
import { bytes, count, plural } from '@/shared/lib/format'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card, Facts } from '@/shared/ui/Page'
import { reasons, entriesOf, pointsOf, type Entry } from './manifest'
import { Thumbnails } from './Thumbnails'
import cx from './job.module.css'

const route = getRouteApi('/jobs/$jobId')
const entryId = ({ key }: Entry) => String(key)

/** The results of a cutout job: map, table and pictures of one choice, which the address has. */
export function Cutouts({ job, manifest }: { job: Job; manifest: Manifest }) {
  const { row: chosen, show, find = '' } = route.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId' })
  const sought = useDeferredValue(find)
  const all = useMemo(() => entriesOf(manifest), [manifest])
  const shown = useMemo(() => {
    const text = sought.toLowerCase()
    return all.filter(
      ({ data }) =>
        (show === undefined || data.status === show) &&
        (text === '' || `${data.id} ${data.band ?? ''} ${data.image ?? ''}`.toLowerCase().includes(text)),
    )
  }, [all, show, sought])
  const points = useMemo(() => pointsOf(all), [all])
  // Until one is chosen, the first that has a picture is looked at.
  const current = all[(chosen ?? 0) - 1] ?? all.find(({ data }) => data.status === 'ok') ?? all[0]

  const choose = useCallback(
    (key: number | undefined) =>
      void navigate({ search: (old) => ({ ...old, row: key }), replace: true, resetScroll: false }),
    [navigate],
  )
  const step = (by: number) => {
    const at = shown.findIndex(({ key }) => key === chosen)
    choose(shown[Math.max(0, Math.min(shown.length - 1, at + by))]?.key)
  }
  useHotkeys({ j: () => step(1), k: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1) })

  const { ok, failed } = manifest.counts
  const point = current && points.find(({ id }) => all[id - 1]?.data.row === current.data.row)
  return (
    <>
      <div className={cx['summary']}>
        <div className={cx['tiles']} role="group" aria-label="Which rows are shown">
          <Tile
            label="all"
            number={ok + failed}
            pressed={show === undefined}
            onPress={() =>
              void navigate({
                search: (old) => ({ ...old, show: undefined }),
                replace: true,
                resetScroll: false,
              })
            }
          />
          <Tile
            label="cut"
            number={ok}
            pressed={show === 'ok'}
            onPress={() =>
              void navigate({ search: (old) => ({ ...old, show: 'ok' }), replace: true, resetScroll: false })
            }
          />
          <Tile
            label="failed"
            number={failed}
            pressed={show === 'failed'}
            onPress={() =>
              void navigate({
                search: (old) => ({ ...old, show: 'failed' }),
                replace: true,
                resetScroll: false,
              })
            }
          />
        </div>
        <input
          type="search"
          className={cx['find']}
          aria-label="Find a row by name, band or image"
          placeholder="Name, band or image"
          value={find}
          onChange={({ currentTarget: { value } }) =>
            void navigate({
              search: (old) => ({ ...old, find: value === '' ? undefined : value }),
              replace: true,
              resetScroll: false,
            })
          }
        />
        {failed > 0 && (
          <Button
            variant="default"
            leftSection={<Icon name="refresh" />}
            renderRoot={(props) => (
              <Link
                to="/cutout"
                search={{ service: job.service, from: job.jobId, failed: true }}
                {...props}
              />
            )}
          >
            Ask again for {plural(failed, 'row')}
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
        <Chosen job={job} entry={current} />
      </div>
      {ok > 0 && (
        <Card title="Pictures" aside={<span className={cx['dim']}>each as its own pixels ask</span>}>
          <Thumbnails job={job} entries={shown} chosen={chosen} onChoose={choose} />
        </Card>
      )}
      <Card title="Rows" flush aside={<span className={cx['dim']}>{plural(shown.length, 'row')}</span>}>
        <DataGrid
          label="Rows of the manifest"
          boxed
          rows={shown}
          columns={columns}
          rowId={entryId}
          total={shown.length}
          active={chosen === undefined ? undefined : String(chosen)}
          onRow={({ key }) => choose(key)}
        />
      </Card>
    </>
  )
}

function Tile({
  label,
  number,
  pressed,
  onPress,
}: {
  label: string
  number: number
  pressed: boolean
  onPress: () => void
}) {
  return (
    <button type="button" className={cx['tile']} aria-pressed={pressed} onClick={onPress}>
      <strong>{count(number)}</strong> {label}
    </button>
  )
}

function Chosen({ job, entry }: { job: Job; entry: Entry | undefined }) {
  if (entry === undefined) {
    return (
      <Card title="No rows">
        <p className={cx['dim']}>The manifest is empty.</p>
      </Card>
    )
  }
  const { data } = entry
  return (
    <Card title={data.id} aside={<span className={cx['dim']}>keys j and k: next, before</span>}>
      <div className={cx['chosen']}>
        {data.file !== null && data.status === 'ok' && (
          <img
            className={cx['large']}
            src={previewUrl(job, data.file, 512)}
            width={320}
            height={320}
            alt={`${data.id} in ${data.band ?? data.image ?? 'the image'}`}
          />
        )}
        <div className={cx['chosenFacts']}>
          <Facts items={factsOf(data)} />
          {data.file !== null && (
            <Button
              component="a"
              variant="default"
              size="compact-sm"
              href={resultUrl(job, data.file)}
              download={data.file}
              leftSection={<Icon name="download" size={16} />}
            >
              {data.file}
            </Button>
          )}
        </div>
      </div>
    </Card>
  )
}

function factsOf(data: ManifestRow): [string, React.ReactNode][] {
  const facts: [string, React.ReactNode][] = [
    ['RA', data.ra === null ? 'not given' : formatRa(data.ra)],
    ['Dec', data.dec === null ? 'not given' : formatDec(data.dec)],
    ['Image', data.image ?? 'none'],
  ]
  if (data.band !== null) facts.push(['Band', data.band])
  if (data.obs !== null) facts.push(['Observation', data.obs])
  if (data.coverage !== null) facts.push(['On the image', `${(data.coverage * 100).toFixed(1)} %`])
  if (data.status === 'failed')
    facts.push(['Why not', data.message ?? reasons[data.reason ?? ''] ?? data.reason ?? ''])
  return facts
}

const columns: Column<Entry>[] = [
  {
    id: 'row',
    header: 'Row',
    width: '56px',
    end: true,
    cell: ({ data }) => data.row,
    sort: ({ data }) => data.row,
  },
  {
    id: 'status',
    header: 'Status',
    width: '92px',
    cell: ({ data }) => <Status row={data} />,
    sort: ({ data }) => data.status,
  },
  {
    id: 'id',
    header: 'Name',
    width: 'minmax(140px, 1.2fr)',
    cell: ({ data }) => <strong className={cx['name']}>{data.id}</strong>,
    sort: ({ data }) => data.id,
  },
  {
    id: 'ra',
    header: 'RA',
    width: '132px',
    wideOnly: true,
    cell: ({ data }) => (data.ra === null ? '–' : formatRa(data.ra)),
    sort: ({ data }) => data.ra ?? 0,
  },
  {
    id: 'dec',
    header: 'Dec',
    width: '132px',
    wideOnly: true,
    cell: ({ data }) => (data.dec === null ? '–' : formatDec(data.dec)),
    sort: ({ data }) => data.dec ?? 0,
  },
  {
    id: 'band',
    named: true,
    header: 'Band',
    width: '80px',
    cell: ({ data }) => data.band ?? '–',
    sort: ({ data }) => data.band ?? '',
  },
  {
    id: 'image',
    header: 'Image',
    width: 'minmax(120px, 1fr)',
    wideOnly: true,
    cell: ({ data }) => data.image ?? '–',
    sort: ({ data }) => data.image ?? '',
  },
  {
    id: 'what',
    header: 'File or reason',
    width: 'minmax(140px, 1.4fr)',
    cell: ({ data }) =>
      data.status === 'ok' ? data.file : (data.message ?? reasons[data.reason ?? ''] ?? data.reason),
  },
  {
    id: 'size',
    header: 'Size',
    width: '84px',
    end: true,
    cell: ({ data }) => (data.size === null ? '–' : bytes(data.size)),
    sort: ({ data }) => data.size ?? 0,
  },
]

function Status({ row: { status } }: { row: ManifestRow }) {
  return (
    <span className={cx['status']} data-status={status}>
      <Icon name={status === 'ok' ? 'check' : 'close'} size={16} />
      {status === 'ok' ? 'cut' : 'failed'}
    </span>
  )
}
