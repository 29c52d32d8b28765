import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useMemo, useState } from 'react'
import { planesOf } from '@/shared/astro/fits'
import { Header } from '@/shared/astro/header'
import { readWcs, type Pixel } from '@/shared/astro/wcs'
import { firstHdu } from '@/shared/image/first'
import { HeaderCards } from '@/shared/image/HeaderCards'
import { ImageView } from '@/shared/image/ImageView'
import { fullLook, type Look } from '@/shared/image/look'
import { Choice, ColourBar, LookControls } from '@/shared/image/LookControls'
import type { FileInfo, HduInfo } from '@/shared/image/protocol'
import { drawnQuery, type ImageSource } from '@/shared/image/queries'
import { Readout } from '@/shared/image/Readout'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { Loading, Notice } from '@/shared/ui/States'
import { atHdu } from './kept'
import cx from './viewer.module.css'

const AladinCard = lazy(() =>
  import('./AladinCard').then(({ AladinCard: component }) => ({ default: component })),
)

const route = getRouteApi('/viewer')

const shape = ({ axes }: HduInfo) => (axes.length === 0 ? 'no data' : axes.join(' × '))

/** A file that is open: the HDU of the address, or the first that can be drawn. */
export function OpenedFile({ source, file }: { source: ImageSource; file: FileInfo }) {
  const search = route.useSearch()
  const navigate = useNavigate({ from: '/viewer' })
  const [aladin, setAladin] = useState(false)
  const change = (more: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...more }), replace: true, resetScroll: false })
  // From the address as it is then: limits may have been chosen that are not rendered yet.
  const goTo = (from: number, to: number) =>
    void navigate({
      search: (old) => ({ ...old, ...atHdu(old, from, to) }),
      replace: true,
      resetScroll: false,
    })
  const hdu = file.hdus.find(({ index }) => index === search.hdu) ?? firstHdu(file.hdus)
  if (hdu === undefined) return null
  const planes = planesOf(hdu)
  const plane = Math.min(search.plane ?? 1, planes)
  return (
    <>
      <div className={cx['parts']}>
        {file.hdus.length > 1 && (
          <Choice
            label="Part of the file"
            value={String(hdu.index)}
            options={file.hdus.map((one) => [String(one.index), `${one.index}: ${one.name} (${shape(one)})`])}
            onChoose={(value) => goTo(hdu.index, Number(value))}
          />
        )}
        {hdu.refusal === undefined && planes > 1 && (
          <label className={cx['plane']}>
            <span>Plane of {planes}</span>
            <input
              type="number"
              min={1}
              max={planes}
              value={plane}
              onChange={({ currentTarget }) => change({ plane: currentTarget.valueAsNumber || undefined })}
            />
          </label>
        )}
        <span className={cx['grow']} />
        <Button
          variant="default"
          aria-pressed={aladin}
          leftSection={<Icon name="image" />}
          onClick={() => setAladin(!aladin)}
        >
          {aladin ? 'Close Aladin' : 'Open in Aladin'}
        </Button>
      </div>
      {file.fault !== undefined && (
        <p className={cx['fault']} role="status">
          <Icon name="warning" size={16} /> {file.fault}
        </p>
      )}
      {aladin && (
        <Suspense fallback={<Loading what="Loading Aladin" />}>
          <AladinCard source={source} onClose={() => setAladin(false)} />
        </Suspense>
      )}
      {hdu.refusal !== undefined ? (
        <Notice
          icon="warning"
          title={`${hdu.name} is not drawn`}
          actions={
            source.href !== undefined && (
              <Button
                component="a"
                variant="default"
                href={source.href}
                download={source.name}
                leftSection={<Icon name="download" />}
              >
                Download {source.name}
              </Button>
            )
          }
        >
          <p>{hdu.refusal}</p>
        </Notice>
      ) : (
        <QuickLook
          key={hdu.index}
          source={source}
          hdu={hdu}
          plane={plane - 1}
          look={search}
          onLook={change}
        />
      )}
      <Card title={`Header of ${hdu.name}`}>
        <HeaderCards key={hdu.index} cards={hdu.cards} />
      </Card>
    </>
  )
}

type QuickLookProps = {
  source: ImageSource
  hdu: HduInfo
  plane: number
  look: Look
  onLook: (look: Look) => void
}

function QuickLook({ source, hdu, plane, look, onLook }: QuickLookProps) {
  const [cursor, setCursor] = useState<{ pixel: Pixel | undefined; byKeys: boolean }>()
  const header = useMemo(() => new Header(hdu.cards), [hdu.cards])
  const wcs = useMemo(() => readWcs(header), [header])
  const unit = header.text('BUNIT') ?? ''
  const full = fullLook(look, unit)
  const target = { key: source.key, hdu: hdu.index, plane }
  const { data, error } = useQuery(drawnQuery(target, full))
  if (error !== null) {
    return (
      <Notice alert icon="warning" title="It cannot be drawn">
        <p>{error.message}</p>
      </Notice>
    )
  }
  return (
    <Card>
      <LookControls look={full} limits={data?.limits} onLook={onLook} />
      <div className={cx['look']}>
        <ImageView
          label={`${source.name}, ${hdu.name}, ${shape(hdu)} pixels`}
          bitmap={data?.bitmap}
          wcs={typeof wcs === 'string' ? undefined : wcs}
          cursor={cursor?.byKeys === true ? cursor.pixel : undefined}
          onCursor={(pixel, byKeys) => setCursor({ pixel, byKeys })}
        />
        {data !== undefined && <ColourBar look={full} limits={data.limits} unit={unit} />}
        <Readout
          target={target}
          unit={unit}
          wcs={wcs}
          cursor={cursor?.pixel}
          spoken={cursor?.byKeys === true}
        />
      </div>
    </Card>
  )
}
