import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { colourPicturesQuery, resultUrl } from '@/shared/api/results'
import cx from '@/shared/job/job.module.css'
import { count, plural } from '@/shared/lib/format'
import { Card } from '@/shared/ui/Page'

/** They come in lots: each is a file. */
const LOT = 24

/** The pictures of three bands that the job was asked for: one for each position that has them. */
export function ColourPictures({ job }: { job: Job }) {
  const [shown, setShown] = useState(LOT)
  const { data: pictures = [] } = useQuery(colourPicturesQuery(job, !hasEnded(job.phase)))
  if (pictures.length === 0) return null
  const bands = job.parameters.find(({ id }) => id.toUpperCase() === 'RGB')?.value ?? ''
  return (
    <Card
      title="Colour pictures"
      aside={
        <span
          className={cx['dim']}
        >{`${plural(pictures.length, 'position')}; red, green, blue: ${bands.split(',').join(', ')}`}</span>
      }
    >
      <ul className={cx['thumbnails']}>
        {pictures.slice(0, shown).map(({ file, of }) => (
          <li key={file}>
            <a className={cx['thumbnail']} href={resultUrl(job, file)}>
              <img
                src={resultUrl(job, file)}
                width={120}
                height={120}
                loading="lazy"
                decoding="async"
                alt=""
              />
              <span className={cx['under']}>{of}</span>
            </a>
          </li>
        ))}
      </ul>
      {pictures.length > shown && (
        <Button variant="default" onClick={() => setShown(shown + LOT)}>
          {count(Math.min(LOT, pictures.length - shown))} more of {count(pictures.length)}
        </Button>
      )}
    </Card>
  )
}
