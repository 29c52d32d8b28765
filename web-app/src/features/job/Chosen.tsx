import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { Job } from '@/shared/api/jobs'
import { isPicture, ownUrls, viewerUrl } from '@/shared/api/results'
import { Chosen as ChosenEntry } from '@/shared/job/Chosen'
import type { Entry } from '@/shared/job/manifest'
import { Icon } from '@/shared/ui/Icon'
import type { Look } from './look'
import cx from './job.module.css'

/** The row that is looked at, and where it can be looked at more closely. */
export function Chosen({ job, entry, look }: { job: Job; entry: Entry | undefined; look: Look }) {
  return (
    <ChosenEntry
      urls={ownUrls(job)}
      entry={entry}
      look={look}
      aside={<span className={cx['dim']}>keys j and k: next, before</span>}
    >
      {entry !== undefined && entry.status !== 'waiting' && (
        <Links job={job} row={entry.data.row} file={entry.data.file} />
      )}
    </ChosenEntry>
  )
}

function Links({ job, row, file }: { job: Job; row: number; file: string | null }) {
  return (
    <span className={cx['row']}>
      <Button
        variant="default"
        size="compact-sm"
        leftSection={<Icon name="star" size={16} />}
        renderRoot={(props) => (
          <Link to="/jobs/$jobId/objects/$row" params={{ jobId: job.jobId, row: String(row) }} {...props} />
        )}
      >
        All of this position
      </Button>
      {file !== null && !isPicture(file) && (
        <Button
          component="a"
          variant="default"
          size="compact-sm"
          href={viewerUrl(job, file)}
          leftSection={<Icon name="image" size={16} />}
        >
          Viewer
        </Button>
      )}
    </span>
  )
}
