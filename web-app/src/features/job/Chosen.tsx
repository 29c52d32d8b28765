import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Job } from '@/shared/api/jobs'
import { isPicture, reasonWords, resultUrl, shownUrl, viewerUrl } from '@/shared/api/results'
import { formatDec, formatRa } from '@/shared/astro/coords'
import { CopyButton } from '@/shared/ui/CopyBlock'
import { Icon } from '@/shared/ui/Icon'
import { Card, Facts } from '@/shared/ui/Page'
import { ofWhat, type Entry } from './manifest'
import type { Look } from './look'
import cx from './job.module.css'

/** The row that is looked at: its picture, what is known of it, and its file. */
export function Chosen({ job, entry, look }: { job: Job; entry: Entry | undefined; look: Look }) {
  if (entry === undefined) {
    return (
      <Card title="No rows">
        <p className={cx['dim']}>Nothing is there yet.</p>
      </Card>
    )
  }
  const { data, status } = entry
  return (
    <Card title={data.id} aside={<span className={cx['dim']}>keys j and k: next, before</span>}>
      <div className={cx['chosen']}>
        {data.file !== null && status === 'ok' && (
          <img
            className={cx['large']}
            src={shownUrl(job, data.file, 512, look.stretch, look.range)}
            width={320}
            height={320}
            alt={`${data.id} in ${ofWhat(data) === '' ? 'the image' : ofWhat(data)}`}
          />
        )}
        <div className={cx['chosenFacts']}>
          <Facts items={factsOf(entry)} />
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
          {status !== 'waiting' && (
            <span className={cx['row']}>
              <Button
                variant="default"
                size="compact-sm"
                leftSection={<Icon name="star" size={16} />}
                renderRoot={(props) => (
                  <Link
                    to="/jobs/$jobId/objects/$row"
                    params={{ jobId: job.jobId, row: String(data.row) }}
                    {...props}
                  />
                )}
              >
                All of this position
              </Button>
              {data.file !== null && !isPicture(data.file) && (
                <Button
                  component="a"
                  variant="default"
                  size="compact-sm"
                  href={viewerUrl(job, data.file)}
                  leftSection={<Icon name="image" size={16} />}
                >
                  Viewer
                </Button>
              )}
            </span>
          )}
        </div>
      </div>
    </Card>
  )
}

function factsOf({ data, status }: Entry): [string, ReactNode][] {
  if (status === 'waiting') return [...place(data), ['Status', 'Not cut yet']]
  const facts: [string, ReactNode][] = [
    ...place(data),
    ['Image', data.image ?? (status === 'ok' ? 'told when the job has ended' : 'none')],
  ]
  if (data.band !== null) facts.push(['Band', data.band])
  if (data.obs !== null) facts.push(['Observation', data.obs])
  if (data.coverage !== null) facts.push(['On the image', `${(data.coverage * 100).toFixed(1)} %`])
  if (status === 'failed') facts.push(['Why not', data.message ?? reasonWords(data.reason)])
  return facts
}

const place = ({ ra, dec }: Entry['data']): [string, ReactNode][] => [
  [
    'Position',
    ra === null || dec === null ? (
      'not given'
    ) : (
      <span key="position" className={cx['place']}>
        {formatRa(ra)} {formatDec(dec)}
        <CopyButton label="Copy" variant="subtle" size="compact-xs" text={`${ra} ${dec}`} />
      </span>
    ),
  ],
]
