import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useMemo } from 'react'
import type { Manifest } from '@/shared/api/results'
import { Chosen } from '@/shared/job/Chosen'
import { entriesOf } from '@/shared/job/manifest'
import { Thumbnails } from '@/shared/job/Thumbnails'
import { Card } from '@/shared/ui/Page'
import { sharedUrls, type SharedJob } from './api'
import cx from './share.module.css'

const route = getRouteApi('/share/$secret')
/** Each drawn as it was asked for. */
const look = {}
const small = { size: 's' } as const

type PicturesProps = { secret: string; job: SharedJob; manifest: Manifest }

/** Pictures of the cutouts, and the one that is looked at, which the address has. */
export function Pictures({ secret, job, manifest }: PicturesProps) {
  const { row } = route.useSearch()
  const navigate = useNavigate({ from: '/share/$secret' })
  const entries = useMemo(
    () => entriesOf(manifest).filter(({ status, data }) => status === 'ok' && data.file !== null),
    [manifest],
  )
  const urls = useMemo(() => sharedUrls(secret, job.jobId), [secret, job.jobId])
  if (entries.length === 0) return null
  return (
    <div className={cx['pictures']}>
      <Card title="Pictures">
        <div className={cx['few']}>
          <Thumbnails
            urls={urls}
            entries={entries}
            chosen={row}
            look={small}
            onChoose={(key) => void navigate({ search: { row: key }, replace: true, resetScroll: false })}
          />
        </div>
      </Card>
      <div className={cx['looked']}>
        <Chosen urls={urls} entry={entries.find(({ key }) => key === row) ?? entries[0]} look={look} />
      </div>
    </div>
  )
}
