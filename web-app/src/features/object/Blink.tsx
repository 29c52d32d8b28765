import { Button } from '@mantine/core'
import { useQueries, useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useEffect, useMemo, useState } from 'react'
import type { Job } from '@/shared/api/jobs'
import { isPicture, previewUrl, reasonWords, resultPath, resultUrl, viewerUrl } from '@/shared/api/results'
import { Header } from '@/shared/astro/header'
import { readWcs, type Pixel } from '@/shared/astro/wcs'
import { firstHdu, firstImage } from '@/shared/image/first'
import { HeaderCards } from '@/shared/image/HeaderCards'
import { ImageView } from '@/shared/image/ImageView'
import { fullLook, type Look } from '@/shared/image/look'
import { Choice, ColourBar, LookControls } from '@/shared/image/LookControls'
import { drawnQuery, limitsQuery, openedQuery, resultSource } from '@/shared/image/queries'
import { Readout } from '@/shared/image/Readout'
import { bytes } from '@/shared/lib/format'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { Icon } from '@/shared/ui/Icon'
import { Card, Facts } from '@/shared/ui/Page'
import { ErrorPanel, Loading, Notice } from '@/shared/ui/States'
import { bandOf, beside, blinkSet, epochOf, together, type Cutout } from './grid'
import { Picture } from './Picture'
import cx from './object.module.css'

const route = getRouteApi('/jobs/$jobId/objects/$row')

/** Twice a second: seen, and below what may harm (WCAG 2.3.1). */
const PACE = 500
/** So many are looked at together: all of them are held in memory. */
const MOST = { number: 40, bytes: 256 * 1024 * 1024 }

type BlinkProps = {
  job: Job
  cutouts: readonly Cutout[]
  current: Cutout
  onChoose: (cutout: Cutout) => void
}

/** One cutout at large, and the others in the same place one after another. */
export function Blink({ job, cutouts, current, onChoose }: BlinkProps) {
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/jobs/$jobId/objects/$row' })
  const change = (more: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...more }), replace: true, resetScroll: false })
  const [blinking, setBlinking] = useState(false)
  const all = useMemo(
    () => blinkSet(cutouts, current, search.over ?? 'epochs'),
    [cutouts, current, search.over],
  )
  const set = useMemo(() => together(all, current, MOST), [all, current])

  const step = (by: 1 | -1, of = all) => {
    const next = beside(of, current, by)
    if (next !== undefined) onChoose(next)
  }
  useHotkeys({
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    ' ': () => setBlinking(!blinking && set.length > 1),
  })
  useEffect(() => {
    if (!blinking) return
    const timer = setTimeout(() => step(1, set), PACE)
    return () => clearTimeout(timer)
  })

  const title = `${bandOf(current.data)}, ${epochOf(current.data)}`
  if (current.data.status !== 'ok' || current.data.file === null) {
    return (
      <Card title={title}>
        <Notice icon="close" title={reasonWords(current.data.reason)}>
          <p>{current.data.message ?? 'There is no cutout here.'}</p>
        </Notice>
      </Card>
    )
  }
  return (
    <Card
      title={title}
      aside={
        <span className={cx['row']}>
          <Button.Group>
            <Button variant="default" size="compact-sm" onClick={() => step(-1)} disabled={all.length < 2}>
              Before
            </Button>
            <Button
              variant={blinking ? 'filled' : 'default'}
              size="compact-sm"
              aria-pressed={blinking}
              disabled={set.length < 2}
              leftSection={<Icon name={blinking ? 'pause' : 'play'} size={16} />}
              onClick={() => setBlinking(!blinking)}
            >
              Blink {set.length}
              {set.length < all.length && ` of ${all.length}`}
            </Button>
            <Button variant="default" size="compact-sm" onClick={() => step(1)} disabled={all.length < 2}>
              Next
            </Button>
          </Button.Group>
        </span>
      }
    >
      <div className={cx['options']}>
        <Choice
          label="Blink over"
          value={search.over ?? 'epochs'}
          options={[
            ['epochs', 'Epochs of the band'],
            ['bands', 'Bands of the epoch'],
            ['all', 'All'],
          ]}
          onChoose={(value) => change({ over: value === 'bands' || value === 'all' ? value : undefined })}
        />
        {!isPicture(current.data.file) && (
          <Choice
            label="Limits of"
            value={search.limits ?? 'common'}
            options={[
              ['common', 'All that blink, common'],
              ['own', 'Each its own'],
            ]}
            onChoose={(value) => change({ limits: value === 'own' ? value : undefined })}
          />
        )}
      </div>
      {isPicture(current.data.file) ? (
        <Picture job={job} file={current.data.file} alt={`${current.data.id}, ${title}`} />
      ) : (
        <Large
          job={job}
          file={current.data.file}
          data={current.data}
          set={set.flatMap(({ data }) => data.file ?? [])}
          look={search}
          common={search.limits === undefined}
          onLook={change}
        />
      )}
    </Card>
  )
}

const sourceOf = (job: Job, file: string) => resultSource(resultPath(job, file), file)

type LargeProps = {
  job: Job
  file: string
  data: Cutout['data']
  set: readonly string[]
  look: Look
  common: boolean
  onLook: (look: Look) => void
}

function Large({ job, file, data, set, look, common, onLook }: LargeProps) {
  const [cursor, setCursor] = useState<{ pixel: Pixel | undefined; byKeys: boolean }>()
  const source = sourceOf(job, file)
  const opened = useQuery(openedQuery(source))
  const hdu = opened.data && firstImage(opened.data.hdus)
  const header = useMemo(() => new Header(hdu?.cards ?? []), [hdu])
  const wcs = useMemo(() => readWcs(header), [header])
  const unit = header.text('BUNIT') ?? ''
  const full = fullLook(look, unit)
  const { limits, waiting } = useCommonLimits(job, set, full.cuts)
  const target = { key: source.key, hdu: hdu?.index ?? 0, plane: 0 }
  const drawn = useQuery({
    ...drawnQuery(target, full, common ? limits : undefined),
    enabled: hdu !== undefined,
  })

  if (opened.error !== null) return <ErrorPanel error={opened.error} retry={() => void opened.refetch()} />
  if (opened.data === undefined) return <Loading what={`Opening ${file}`} />
  // The position is ICRS: in another system it would be marked where it is not.
  const sky = typeof wcs === 'string' || !wcs.isIcrs ? undefined : wcs
  const { ra, dec } = data
  const mark = sky && ra !== null && dec !== null ? sky.toPixel({ ra, dec }) : undefined
  const shown = hdu ?? firstHdu(opened.data.hdus)
  return (
    <>
      {hdu === undefined ? (
        <div className={cx['drawn']}>
          <img
            src={previewUrl(job, file, 512)}
            width={360}
            height={360}
            alt={`${data.id}, as the server draws it`}
          />
          <p className={cx['dim']}>{shown?.refusal}</p>
        </div>
      ) : (
        <>
          <LookControls look={full} limits={drawn.data?.limits} onLook={onLook} />
          <div className={cx['large']}>
            <ImageView
              label={`${data.id}, ${bandOf(data)}, ${epochOf(data)}`}
              bitmap={drawn.data?.bitmap}
              wcs={typeof wcs === 'string' ? undefined : wcs}
              mark={mark}
              cursor={cursor?.byKeys === true ? cursor.pixel : undefined}
              onCursor={(pixel, byKeys) => setCursor({ pixel, byKeys })}
              panByArrows={false}
            />
          </div>
          {drawn.error !== null && <p role="alert">{drawn.error.message}</p>}
          <p className={cx['dim']} role="status">
            {common && waiting && 'Drawn by its own limits until all of them are read.'}
          </p>
          {drawn.data !== undefined && <ColourBar look={full} limits={drawn.data.limits} unit={unit} />}
          <Readout
            target={target}
            unit={unit}
            wcs={wcs}
            cursor={cursor?.pixel}
            spoken={cursor?.byKeys === true}
          />
        </>
      )}
      <div className={cx['facts']}>
        <Facts
          items={[
            ['Image', data.image ?? 'none'],
            ['Collection', data.collection ?? 'none'],
            ['On the image', data.coverage === null ? 'not given' : `${(data.coverage * 100).toFixed(1)} %`],
            ['Size', data.size === null ? 'not given' : bytes(data.size)],
          ]}
        />
        <span className={cx['row']}>
          <Button
            component="a"
            variant="default"
            href={resultUrl(job, file)}
            download={file}
            leftSection={<Icon name="download" size={16} />}
          >
            {file}
          </Button>
          <Button
            component="a"
            variant="default"
            href={viewerUrl(job, file)}
            leftSection={<Icon name="image" size={16} />}
          >
            Viewer
          </Button>
        </span>
      </div>
      {shown !== undefined && (
        <details className={cx['header']}>
          <summary>Header of {shown.name}</summary>
          <HeaderCards cards={shown.cards} />
        </details>
      )}
    </>
  )
}

/** From the lowest to the highest of the limits that a rule means for each, once all that can be read are. */
function useCommonLimits(job: Job, files: readonly string[], cuts: string) {
  const opened = useQueries({ queries: files.map((file) => openedQuery(sourceOf(job, file))) })
  const targets = files.flatMap((file, index) => {
    const hdu = firstImage(opened[index]?.data?.hdus ?? [])
    return hdu === undefined ? [] : [{ key: sourceOf(job, file).key, hdu: hdu.index, plane: 0 }]
  })
  const each = useQueries({ queries: targets.map((target) => limitsQuery(target, cuts)) })
  // One that cannot be read does not keep the others from being seen.
  const waiting = opened.some(({ isPending }) => isPending) || each.some(({ isPending }) => isPending)
  const known = each.flatMap(({ data }) => data ?? [])
  const low = Math.min(...known.map((one) => one.low))
  const high = Math.max(...known.map((one) => one.high))
  const limits = useMemo(() => (waiting || !(low <= high) ? undefined : { low, high }), [waiting, low, high])
  return { limits, waiting }
}
