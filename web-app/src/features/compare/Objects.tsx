import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { reasonWords, type Manifest, type ManifestRow } from '@/shared/api/results'
import { plural } from '@/shared/lib/format'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { objectLines, type Both, type ObjectLine } from './differences'
import cx from './compare.module.css'

const words: Record<ObjectLine['change'], string> = {
  'only a': 'only in A',
  'only b': 'only in B',
  mended: 'cut in B, not in A',
  broken: 'cut in A, not in B',
  reason: 'another reason',
  content: 'another content',
  same: 'the same',
}

/** What became of each position on each image in both jobs. */
export function Objects({ jobs, manifests }: { jobs: Both<Job>; manifests: Both<Manifest> }) {
  const [all, setAll] = useState(false)
  const lines = useMemo(() => objectLines(manifests), [manifests])
  const differing = useMemo(() => lines.filter(({ change }) => change !== 'same'), [lines])
  const columns = useMemo(() => columnsOf(jobs), [jobs])
  const shown = all ? lines : differing
  return (
    <Card
      title="Cutouts"
      flush
      aside={
        <span className={cx['aside']}>
          <span className={cx['dim']} role="status">
            {plural(differing.length, 'difference')} in {plural(lines.length, 'cutout')}
          </span>
          <label className={cx['check']}>
            <input
              type="checkbox"
              checked={all}
              onChange={({ currentTarget }) => setAll(currentTarget.checked)}
            />
            Also those that are the same
          </label>
        </span>
      }
    >
      {shown.length === 0 ? (
        <p className={cx['nothing']}>
          <Icon name="check" size={18} /> No cutout differs.
        </p>
      ) : (
        <DataGrid
          label="Cutouts of both jobs"
          boxed
          rows={shown}
          columns={columns}
          rowId={({ key }) => key}
          total={shown.length}
        />
      )}
    </Card>
  )
}

function columnsOf(jobs: Both<Job>): Column<ObjectLine>[] {
  const side = (name: 'a' | 'b', header: string): Column<ObjectLine> => ({
    id: name,
    header,
    named: true,
    width: 'minmax(150px, 1fr)',
    cell: (line) => <Side job={jobs[name]} row={line[name]} />,
    sort: (line) => line[name]?.status ?? '',
  })
  return [
    {
      id: 'id',
      header: 'Name',
      width: 'minmax(120px, 1fr)',
      cell: ({ id }) => <strong>{id}</strong>,
      sort: ({ id }) => id,
    },
    {
      id: 'where',
      header: 'Band, observation, image',
      width: 'minmax(180px, 1.4fr)',
      cell: ({ where }) => where || 'none',
      sort: ({ where }) => where,
    },
    {
      id: 'change',
      header: 'Difference',
      width: '170px',
      cell: ({ change }) => words[change],
      sort: ({ change }) => words[change],
    },
    side('a', 'A'),
    side('b', 'B'),
  ]
}

function Side({ job, row }: { job: Job; row: ManifestRow | undefined }) {
  if (row === undefined) return <span className={cx['dim']}>not asked for</span>
  return (
    <Link
      to="/jobs/$jobId/objects/$row"
      params={{ jobId: job.jobId, row: String(row.row) }}
      className={cx['status']}
      data-status={row.status}
    >
      <Icon name={row.status === 'ok' ? 'check' : 'close'} size={16} />
      {row.status === 'ok' ? 'cut' : reasonWords(row.reason)}
    </Link>
  )
}
