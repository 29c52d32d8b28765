import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { JobSummary } from '@/shared/api/jobs'
import { manifestQuery, previewUrl } from '@/shared/api/results'
import { Card } from '@/shared/ui/Page'
import cx from './home.module.css'

const MOST = 8

/** Pictures of the last cutouts that were made. */
export function Latest({ jobs }: { jobs: readonly JobSummary[] | undefined }) {
  const job = jobs?.find(
    ({ service, phase, results }) => service === 'cutout' && phase === 'COMPLETED' && results > 3,
  )
  const path = { service: 'cutout', jobId: job?.id ?? '' }
  const { data } = useQuery({ ...manifestQuery(path), enabled: job !== undefined })
  const cut = data?.rows.flatMap((row, index) =>
    row.file === null ? [] : [{ row, key: index + 1, file: row.file }],
  )
  if (job === undefined || cut === undefined || cut.length === 0) return null
  return (
    <Card
      title="Your last cutouts"
      aside={
        <Link to="/jobs/$jobId" params={{ jobId: job.id }}>
          {job.runId ?? 'Open the job'}
        </Link>
      }
    >
      <ul className={cx['strip']}>
        {cut.slice(0, MOST).map(({ row, key, file }) => (
          <li key={key}>
            <Link
              to="/jobs/$jobId"
              params={{ jobId: job.id }}
              search={{ row: key }}
              className={cx['picture']}
            >
              <img
                src={previewUrl(path, file, 240)}
                width={132}
                height={132}
                loading="lazy"
                decoding="async"
                alt=""
              />
              <span>{row.id}</span>
            </Link>
          </li>
        ))}
      </ul>
    </Card>
  )
}
