import { Button } from '@mantine/core'
import { useMemo } from 'react'
import type { Job } from '@/shared/api/jobs'
import { archiveUrl, resultPath, resultUrl } from '@/shared/api/results'
import { serverUrl } from '@/shared/config'
import { bytes, plural } from '@/shared/lib/format'
import { CopyButton } from '@/shared/ui/CopyBlock'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { Notice } from '@/shared/ui/States'
import { hasEnded } from '@/shared/api/phases'
import cx from './job.module.css'

type Result = Job['results'][number]
const rowId = ({ id }: Result) => id

export function Files({ job }: { job: Job }) {
  // The standard's `result` is another name of one of the others.
  const files = useMemo(
    () => job.results.filter(({ id }, _, all) => id !== 'result' || all.length === 1),
    [job.results],
  )
  const columns = useMemo((): Column<Result>[] => {
    return [
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
        width: 'minmax(140px, 1fr)',
        wideOnly: true,
        cell: ({ mimeType }) => mimeType,
        sort: ({ mimeType }) => mimeType,
      },
      {
        id: 'size',
        header: 'Size',
        width: '100px',
        end: true,
        cell: ({ size }) => bytes(size),
        sort: ({ size }) => size,
      },
      {
        id: 'curl',
        header: 'For the shell',
        width: '120px',
        wideOnly: true,
        cell: ({ id }) => (
          <CopyButton
            label="curl"
            variant="subtle"
            text={`curl -C - -o '${id}' '${serverUrl(resultPath(job, id))}'`}
          />
        ),
      },
    ]
  }, [job])
  if (files.length === 0) {
    return (
      <Notice icon="file" title={hasEnded(job.phase) ? 'It has no files' : 'No files yet'}>
        <p>{hasEnded(job.phase) ? 'This job has made none.' : 'They are here when the job has ended.'}</p>
      </Notice>
    )
  }
  const total = files.reduce((sum, { size }) => sum + size, 0)
  return (
    <Card
      title={`${plural(files.length, 'file')}, ${bytes(total)}`}
      flush
      aside={
        <span className={cx['row']}>
          {(['zip', 'tar'] as const).map((format) => (
            <Button
              key={format}
              component="a"
              href={archiveUrl(job, format)}
              download
              variant="default"
              size="compact-sm"
              leftSection={<Icon name="download" size={16} />}
            >
              All as {format}
            </Button>
          ))}
        </span>
      }
    >
      <DataGrid label="Files" boxed rows={files} columns={columns} rowId={rowId} total={files.length} />
    </Card>
  )
}
