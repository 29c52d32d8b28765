import { Button } from '@mantine/core'
import { useState } from 'react'
import type { ColourPicture, ResultUrls } from '@/shared/api/results'
import { count, plural } from '@/shared/lib/format'
import { Card } from '@/shared/ui/Page'
import cx from './job.module.css'

/** They come in lots: each is a file. */
const LOT = 24

type ColourPicturesProps = {
  urls: ResultUrls
  pictures: readonly ColourPicture[]
  /** For red, green and blue, with commas between them. */
  bands: string
}

/** The pictures of three bands that the job was asked for: one for each position that has them. */
export function ColourPictures({ urls, pictures, bands }: ColourPicturesProps) {
  const [shown, setShown] = useState(LOT)
  if (pictures.length === 0) return null
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
            <a className={cx['thumbnail']} href={urls.file(file)}>
              <img src={urls.file(file)} width={120} height={120} loading="lazy" decoding="async" alt="" />
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
