import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { hasEnded } from '@/shared/api/phases'
import type { Manifest } from '@/shared/api/results'
import { inOrder } from '@/shared/job/manifest'
import { bytes, plural } from '@/shared/lib/format'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { ErrorPanel, Loading } from '@/shared/ui/States'
import { sharedArchiveUrl, sharedResultsQuery, sharedScriptUrl, sharedUrls, type SharedJob } from './api'
import cx from './share.module.css'

type Result = SharedJob['results'][number]
type FilesProps = { secret: string; job: SharedJob; manifest: Manifest | undefined }

const rowId = ({ id }: Result) => id
const noFiles: Result[] = []
/** Of so many one is sought by name. */
const MANY = 12

/** The files of a job: each, or all together. */
export function Files({ secret, job, manifest }: FilesProps) {
  const [find, setFind] = useState('')
  const { data, error, refetch } = useQuery(sharedResultsQuery(secret, job))
  const files = useMemo(
    () =>
      inOrder(
        // The standard's `result` is another name of one of the others.
        (data ?? noFiles).filter(({ id }, _, all) => id !== 'result' || all.length === 1),
        manifest,
      ),
    [data, manifest],
  )
  const shown = useMemo(
    () => files.filter(({ id }) => id.toLowerCase().includes(find.toLowerCase())),
    [files, find],
  )
  const columns = useMemo(() => columnsOf(sharedUrls(secret, job.jobId).file), [secret, job.jobId])
  if (data === undefined) {
    if (error === null) return <Loading what="Reading the files" />
    return <ErrorPanel error={error} retry={() => void refetch()} />
  }
  if (files.length === 0) {
    return (
      <Card title="Files">
        <p className={cx['dim']}>
          {hasEnded(job.phase)
            ? 'This job has made none.'
            : 'None yet. They are here one by one as they are made.'}
        </p>
      </Card>
    )
  }
  return (
    <Card
      title={`${plural(files.length, 'file')}, ${bytes(files.reduce((sum, { size }) => sum + size, 0))}`}
      flush
      aside={<Together secret={secret} />}
    >
      {(files.length > MANY || !hasEnded(job.phase)) && (
        <div className={cx['bar']}>
          {files.length > MANY && (
            <input
              type="search"
              className={cx['find']}
              aria-label="Find a file by name"
              placeholder="Part of a name"
              value={find}
              onChange={({ currentTarget }) => setFind(currentTarget.value)}
            />
          )}
          {!hasEnded(job.phase) && <span className={cx['dim']}>More come while it runs.</span>}
        </div>
      )}
      {shown.length === 0 ? (
        <p className={cx['nothing']}>No file has this in its name.</p>
      ) : (
        <DataGrid label="Files" boxed rows={shown} columns={columns} rowId={rowId} total={shown.length} />
      )}
    </Card>
  )
}

/** All files at once. */
function Together({ secret }: { secret: string }) {
  const ways = [
    ['All as zip', sharedArchiveUrl(secret, 'zip'), ''],
    ['All as tar', sharedArchiveUrl(secret, 'tar'), ''],
    ['Script that fetches all', sharedScriptUrl(secret), 'fetch.sh'],
  ] as const
  return (
    <span className={cx['row']}>
      {ways.map(([words, href, name]) => (
        <Button
          key={words}
          component="a"
          href={href}
          download={name}
          variant="default"
          size="compact-sm"
          leftSection={<Icon name="download" size={16} />}
        >
          {words}
        </Button>
      ))}
    </span>
  )
}

const columnsOf = (urlOf: (name: string) => string): Column<Result>[] => [
  {
    id: 'name',
    header: 'Name',
    width: 'minmax(200px, 2fr)',
    cell: ({ id }) => (
      <a href={urlOf(id)} download={id}>
        {id}
      </a>
    ),
    sort: rowId,
  },
  {
    id: 'type',
    header: 'Type',
    width: 'minmax(120px, 0.8fr)',
    cell: ({ mimeType }) => mimeType,
    sort: ({ mimeType }) => mimeType,
  },
  {
    id: 'size',
    header: 'Size',
    width: '84px',
    end: true,
    cell: ({ size }) => bytes(size),
    sort: ({ size }) => size,
  },
]
