import { Button } from '@mantine/core'
import type { ReactNode } from 'react'
import { reasonWords, type ResultUrls } from '@/shared/api/results'
import { formatDec, formatRa } from '@/shared/astro/coords'
import { CopyButton } from '@/shared/ui/CopyBlock'
import { Icon } from '@/shared/ui/Icon'
import { Card, Facts } from '@/shared/ui/Page'
import { ofWhat, type Entry } from './manifest'
import type { Drawing } from './Thumbnails'
import cx from './job.module.css'

type ChosenProps = {
  urls: ResultUrls
  entry: Entry | undefined
  look: Drawing
  aside?: ReactNode
  /** Where else one can go from it. */
  children?: ReactNode
}

/** The row that is looked at: its picture, what is known of it, and its file. */
export function Chosen({ urls, entry, look, aside, children }: ChosenProps) {
  if (entry === undefined) {
    return (
      <Card title="No rows">
        <p className={cx['dim']}>Nothing is there yet.</p>
      </Card>
    )
  }
  const { data, status } = entry
  return (
    <Card title={data.id} aside={aside}>
      <div className={cx['chosen']}>
        {data.file !== null && status === 'ok' && (
          <img
            className={cx['large']}
            src={urls.picture(data.file, 512, look.stretch, look.range)}
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
              href={urls.file(data.file)}
              download={data.file}
              leftSection={<Icon name="download" size={16} />}
            >
              {data.file}
            </Button>
          )}
          {children}
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
