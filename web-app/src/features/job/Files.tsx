import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { Menu } from '@/shared/ui/kit/menu'
import type { Job } from '@/shared/api/jobs'
import { meQuery } from '@/shared/api/me'
import { hasEnded } from '@/shared/api/phases'
import {
  archiveUrl,
  hasManifest,
  manifestQuery,
  resultPath,
  resultsQuery,
  resultUrl,
  scriptUrl,
  viewerUrl,
} from '@/shared/api/results'
import { serverUrl } from '@/shared/config'
import { bytes, count, plural } from '@/shared/lib/format'
import { shellQuoted } from '@/shared/lib/snippets'
import { CopyButton } from '@/shared/ui/CopyBlock'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { ErrorPanel, Loading, Notice } from '@/shared/ui/States'
import { inOrder } from '@/shared/job/manifest'
import cx from './job.module.css'

type Result = Job['results'][number]
const rowId = ({ id }: Result) => id
const noFiles: Result[] = []

/** The server refuses addresses of 16 KiB; names of files are in them. */
const LONGEST_URL = 15_000
const manifests = new Set(['manifest.json', 'manifest.csv', 'manifest.vot'])

export function Files({ job }: { job: Job }) {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const [find, setFind] = useState('')
  const [last, setLast] = useState<string>()
  const { data: me } = useQuery(meQuery)
  const { data: manifest } = useQuery({ ...manifestQuery(job), enabled: hasManifest(job) })
  // The standard's `result` is another name of one of the others.
  const results = useQuery(resultsQuery(job, job.phase === 'EXECUTING'))
  const files = useMemo(
    () =>
      inOrder(
        (results.data ?? noFiles).filter(({ id }, _, all) => id !== 'result' || all.length === 1),
        manifest,
      ),
    [results.data, manifest],
  )
  const shown = useMemo(
    () => files.filter(({ id }) => id.toLowerCase().includes(find.toLowerCase())),
    [files, find],
  )
  const digests = useMemo(
    () => new Map(manifest?.rows.flatMap(({ file, sha256 }) => (file && sha256 ? [[file, sha256]] : []))),
    [manifest],
  )
  const withToken = me !== undefined && me.by !== 'local'
  const columns = useMemo(() => {
    const choose = (id: string, toThis: boolean) => {
      const next = new Set(chosen)
      const [from, to] = [
        shown.findIndex((one) => one.id === (last ?? id)),
        shown.findIndex((one) => one.id === id),
      ]
      if (toThis && from >= 0) {
        for (const one of shown.slice(Math.min(from, to), Math.max(from, to) + 1)) next.add(one.id)
      } else if (!next.delete(id)) next.add(id)
      setLast(id)
      setChosen(next)
    }
    const isAll = shown.length > 0 && shown.every(({ id }) => chosen.has(id))
    const all = () => setChosen(isAll ? new Set() : new Set(shown.map(rowId)))
    return columnsOf({ job, chosen, choose, isAll, all, digests, withToken })
  }, [job, chosen, shown, last, digests, withToken])

  if (results.data === undefined) {
    if (results.error === null) return <Loading what="Reading the files" />
    return <ErrorPanel error={results.error} retry={() => void results.refetch()} />
  }
  if (files.length === 0) {
    return (
      <Notice icon="file" title={hasEnded(job.phase) ? 'It has no files' : 'No files yet'}>
        <p>
          {hasEnded(job.phase) ? 'This job has made none.' : 'They are here one by one as they are made.'}
        </p>
      </Notice>
    )
  }
  const taken = files.filter(({ id }) => chosen.has(id))
  const names = taken.length === files.length ? [] : taken.map(rowId)
  const sum = (of: readonly Result[]) => bytes(of.reduce((total, { size }) => total + size, 0))
  const tooMany = archiveUrl(job, 'zip', names).length > LONGEST_URL
  const what = taken.length === 0 ? 'All' : count(taken.length)
  return (
    <Card
      title={
        taken.length === 0
          ? `${plural(files.length, 'file')}, ${sum(files)}`
          : `${count(taken.length)} of ${plural(files.length, 'file')}, ${sum(taken)}`
      }
      flush
      aside={
        <span className={cx['row']}>
          {(['zip', 'tar'] as const).map((format) => (
            <Button
              key={format}
              component="a"
              href={archiveUrl(job, format, names)}
              download
              variant="default"
              size="compact-sm"
              data-disabled={tooMany || undefined}
              aria-disabled={tooMany || undefined}
              onClick={(event) => {
                if (tooMany) event.preventDefault()
              }}
              leftSection={<Icon name="download" size={16} />}
            >
              {what} as {format}
            </Button>
          ))}
          <Menu position="bottom-end">
            <Menu.Target>
              <Button variant="default" size="compact-sm" rightSection={<Icon name="menu" size={15} />}>
                More
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item component="a" href={scriptUrl(job, tooMany ? [] : names)} download="fetch.sh">
                A script that fetches {taken.length === 0 || tooMany ? 'all' : 'these'}, and can go on
              </Menu.Item>
              {files
                .filter(({ id }) => manifests.has(id))
                .map(({ id }) => (
                  <Menu.Item key={id} component="a" href={resultUrl(job, id)} download={id}>
                    {id}: rows with sizes and SHA-256
                  </Menu.Item>
                ))}
            </Menu.Dropdown>
          </Menu>
        </span>
      }
    >
      <div className={cx['filesBar']}>
        <input
          type="search"
          className={cx['find']}
          aria-label="Find a file by name"
          placeholder="Part of a name"
          value={find}
          onChange={({ currentTarget }) => setFind(currentTarget.value)}
        />
        {!hasEnded(job.phase) && <span className={cx['dim']}>More come while it runs.</span>}
        {tooMany && (
          <span className={cx['dim']} role="status">
            So many cannot be named in one address: choose fewer, or none for all.
          </span>
        )}
      </div>
      {shown.length === 0 ? (
        <p className={cx['nothing']}>No file has this in its name.</p>
      ) : (
        <DataGrid
          label="Files"
          boxed
          rows={shown}
          columns={columns}
          rowId={rowId}
          total={shown.length}
          selected={chosen}
        />
      )}
    </Card>
  )
}

type Choice = {
  job: Job
  chosen: ReadonlySet<string>
  choose: (id: string, toThis: boolean) => void
  isAll: boolean
  all: () => void
  digests: ReadonlyMap<string, string>
  withToken: boolean
}

function columnsOf({ job, chosen, choose, isAll, all, digests, withToken }: Choice): Column<Result>[] {
  const token = withToken ? '-H "Authorization: Bearer $SIDEREAL_TOKEN" ' : ''
  return [
    {
      id: 'choice',
      header: 'Choice',
      head: <input type="checkbox" aria-label="All that are shown" checked={isAll} onChange={all} />,
      width: '24px',
      cell: ({ id }) => (
        <input
          type="checkbox"
          aria-label={`Choose ${id}`}
          checked={chosen.has(id)}
          onClick={(event) => {
            if (!event.shiftKey) return
            event.preventDefault()
            choose(id, true)
          }}
          onChange={() => choose(id, false)}
        />
      ),
    },
    {
      id: 'name',
      header: 'Name',
      width: 'minmax(200px, 2fr)',
      cell: ({ id }) => (
        <a href={resultUrl(job, id)} download={id}>
          {id}
        </a>
      ),
      sort: rowId,
    },
    {
      id: 'type',
      header: 'Type',
      width: 'minmax(120px, 0.8fr)',
      wideOnly: true,
      cell: ({ mimeType }) => mimeType,
      sort: ({ mimeType }) => mimeType,
    },
    {
      id: 'digest',
      header: 'SHA-256',
      width: '120px',
      wideOnly: true,
      cell: ({ id }) => {
        const digest = digests.get(id)
        return digest === undefined ? (
          '–'
        ) : (
          <code className={cx['digest']} title={digest}>
            {digest.slice(0, 12)}
          </code>
        )
      },
    },
    {
      id: 'size',
      header: 'Size',
      width: '84px',
      end: true,
      cell: ({ size }) => bytes(size),
      sort: ({ size }) => size,
    },
    {
      id: 'look',
      header: 'Look',
      width: '72px',
      cell: ({ id, mimeType }) =>
        mimeType.includes('fits') && (
          <a href={viewerUrl(job, id)} aria-label={`Viewer: ${id}`}>
            Viewer
          </a>
        ),
    },
    {
      id: 'curl',
      header: 'For the shell',
      width: '112px',
      wideOnly: true,
      cell: ({ id }) => (
        <CopyButton
          label="curl"
          variant="subtle"
          text={`curl -f -C - ${token}-o ${shellQuoted(id)} ${shellQuoted(serverUrl(resultPath(job, id)))}`}
        />
      ),
    },
  ]
}
