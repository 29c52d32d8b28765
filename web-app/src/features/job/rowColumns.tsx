import { reasonWords } from '@/shared/api/results'
import { bytes } from '@/shared/lib/format'
import { formatDec, formatRa } from '@/shared/astro/coords'
import type { Column } from '@/shared/ui/DataGrid'
import { Icon } from '@/shared/ui/Icon'
import type { Entry } from '@/shared/job/manifest'
import cx from './job.module.css'

/** Of the table of a job's rows. */
export const rowColumns: Column<Entry>[] = [
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
    cell: ({ status }) => <Status status={status} />,
    sort: ({ status }) => status,
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
    cell: ({ data, status }) => (status === 'ok' ? data.file : (data.message ?? reasonWords(data.reason))),
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

const words = { ok: 'cut', failed: 'failed', waiting: 'not yet' }
const icons = { ok: 'check', failed: 'close', waiting: 'clock' } as const

function Status({ status }: Pick<Entry, 'status'>) {
  return (
    <span className={cx['status']} data-status={status}>
      <Icon name={icons[status]} size={16} />
      {words[status]}
    </span>
  )
}
