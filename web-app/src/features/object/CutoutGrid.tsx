import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { isPicture, previewUrl, reasonWords, resultPath, resultsQuery, resultUrl } from '@/shared/api/results'
import { Header } from '@/shared/astro/header'
import { fullLook } from '@/shared/image/look'
import { firstImage } from '@/shared/image/first'
import { drawnQuery, openedQuery, resultSource } from '@/shared/image/queries'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { gridOf, pictureOf, type Cutout } from './grid'
import cx from './object.module.css'

type CutoutGridProps = {
  job: Job
  cutouts: readonly Cutout[]
  current: Cutout
  onChoose: (cutout: Cutout) => void
}

/** Bands down, epochs across; what is missing says why. */
export function CutoutGrid({ job, cutouts, current, onChoose }: CutoutGridProps) {
  const { bands, epochs, cell } = useMemo(() => gridOf(cutouts), [cutouts])
  const { data: results, isPending } = useQuery(resultsQuery(job, false))
  const names = useMemo(() => new Set(results?.map(({ id }) => id)), [results])
  return (
    <Card title="Bands and epochs">
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={cx['scroll']} tabIndex={0} role="region" aria-label="Cutouts by band and epoch">
        <table className={cx['grid']}>
          <thead>
            <tr>
              <td />
              {epochs.map((epoch) => (
                <th key={epoch} scope="col">
                  {epoch}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bands.map((band) => (
              <tr key={band}>
                <th scope="row">{band}</th>
                {epochs.map((epoch) => (
                  <td key={epoch}>
                    {cell(band, epoch).map((cutout) => (
                      <Cell
                        key={cutout.at}
                        job={job}
                        names={isPending ? undefined : names}
                        cutout={cutout}
                        chosen={cutout.at === current.at}
                        onChoose={() => onChoose(cutout)}
                      />
                    ))}
                    {cell(band, epoch).length === 0 && <span className={cx['none']}>no image</span>}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

type CellProps = {
  job: Job
  /** The results of the job, once they are known. */
  names: ReadonlySet<string> | undefined
  cutout: Cutout
  chosen: boolean
  onChoose: () => void
}

function Cell({ job, names, cutout: { data }, chosen, onChoose }: CellProps) {
  if (data.status !== 'ok' || data.file === null) {
    return (
      <span className={cx['missing']}>
        <Icon name="close" size={16} />
        {reasonWords(data.reason)}
      </span>
    )
  }
  const picture = isPicture(data.file) ? data.file : names && pictureOf(names, data.file)
  const words = [data.id, data.band, data.obs, data.type].filter((word) => word !== null).join(', ')
  return (
    <button type="button" className={cx['cell']} aria-pressed={chosen} aria-label={words} onClick={onChoose}>
      {picture !== undefined ? (
        <img src={resultUrl(job, picture)} width={112} height={112} loading="lazy" decoding="async" alt="" />
      ) : names === undefined ? (
        <span className={cx['thumb']} />
      ) : (
        <Thumbnail job={job} file={data.file} size={data.size} />
      )}
      {data.type !== null && <span className={cx['type']}>{data.type}</span>}
    </button>
  )
}

/** A file larger than this is not fetched for a thumbnail. */
const LARGE = 4 * 1024 * 1024

/** A quick look while it is in sight, so that not all files are held; where none can be made, the server draws. */
function Thumbnail({ job, file, size }: { job: Job; file: string; size: number | null }) {
  const box = useRef<HTMLSpanElement>(null)
  const [seen, setSeen] = useState(false)
  useEffect(() => {
    const element = box.current
    if (element === null) return
    const observer = new IntersectionObserver((entries) => {
      setSeen(entries.at(-1)?.isIntersecting === true)
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return (
    <span ref={box} className={cx['thumb']}>
      {seen && (size ?? 0) > LARGE && <Preview job={job} file={file} />}
      {seen && (size ?? 0) <= LARGE && <QuickLook job={job} file={file} />}
    </span>
  )
}

function QuickLook({ job, file }: { job: Job; file: string }) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const source = resultSource(resultPath(job, file), file)
  const { data: opened, error } = useQuery(openedQuery(source))
  const hdu = opened && firstImage(opened.hdus)
  const unit = hdu === undefined ? '' : (new Header(hdu.cards).text('BUNIT') ?? '')
  const target = { key: source.key, hdu: hdu?.index ?? 0, plane: 0 }
  const { data: drawn } = useQuery({ ...drawnQuery(target, fullLook({}, unit)), enabled: hdu !== undefined })
  useEffect(() => {
    const element = canvas.current
    if (element === null || drawn === undefined) return
    element.width = drawn.bitmap.width
    element.height = drawn.bitmap.height
    element.getContext('2d')?.drawImage(drawn.bitmap, 0, 0)
  }, [drawn])
  if (error !== null || (opened !== undefined && hdu === undefined)) return <Preview job={job} file={file} />
  return <canvas ref={canvas} width={1} height={1} aria-hidden="true" />
}

const Preview = ({ job, file }: { job: Job; file: string }) => (
  <img src={previewUrl(job, file, 224)} width={112} height={112} alt="" />
)
