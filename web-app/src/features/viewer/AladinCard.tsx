import { Button } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'
import { Choice } from '@/shared/image/LookControls'
import type { ImageSource } from '@/shared/image/queries'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { Loading, Notice } from '@/shared/ui/States'
import { hasWebgl2, startAladin, type Aladin, type AladinView } from './aladin'
import cx from './viewer.module.css'

const stretches = [
  ['asinh', 'Asinh'],
  ['linear', 'Linear'],
  ['sqrt', 'Square root'],
  ['log', 'Logarithm'],
] as const
const maps = [
  ['grayscale', 'Grey'],
  ['viridis', 'Viridis'],
  ['inferno', 'Inferno'],
  ['magma', 'Magma'],
  ['cubehelix', 'Cubehelix'],
  ['rdbu', 'Red, white, blue'],
] as const

/** The same file on the sky, by Aladin Lite. */
export function AladinCard({ source, onClose }: { source: ImageSource; onClose: () => void }) {
  if (!hasWebgl2()) {
    return (
      <Notice
        icon="warning"
        title="Aladin cannot run in this browser"
        actions={
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
        }
      >
        <p>
          It needs WebGL 2, which is missing or turned off. The quick look below needs nothing of the kind.
        </p>
      </Notice>
    )
  }
  return <AladinSky source={source} onClose={onClose} />
}

function AladinSky({ source, onClose }: { source: ImageSource; onClose: () => void }) {
  const box = useRef<HTMLDivElement>(null)
  const [view, setView] = useState<AladinView>()
  const [failure, setFailure] = useState<string>()

  useEffect(() => {
    const stop = new AbortController()
    let url: string | undefined
    const start = async () => {
      const data = await source.load(stop.signal)
      // Two of it must not be begun in one place; it is made in an element of its own, outside of React.
      if (stop.signal.aborted || box.current === null) return
      const element = document.createElement('div')
      element.className = cx['sky'] ?? ''
      box.current.replaceChildren(element)
      url = URL.createObjectURL(data)
      setView(await startAladin(element, url, source.name))
    }
    start().catch((error: unknown) => {
      if (!stop.signal.aborted) setFailure(error instanceof Error ? error.message : String(error))
    })
    return () => {
      stop.abort()
      if (url !== undefined) URL.revokeObjectURL(url)
    }
  }, [source])

  return (
    <Card
      title="Aladin Lite"
      aside={
        <span className={cx['dim']}>
          version 3.8.2, © Université de Strasbourg/CNRS,{' '}
          <Link to="/help" hash="licences" reloadDocument>
            licence
          </Link>
        </span>
      }
    >
      {failure !== undefined ? (
        <Notice
          alert
          icon="warning"
          title="Aladin cannot show this file"
          actions={
            <>
              <Button variant="default" onClick={() => window.location.reload()}>
                Load the page again
              </Button>
              <Button variant="subtle" onClick={onClose}>
                Close
              </Button>
            </>
          }
        >
          <p>It shows images with coordinates. The quick look below shows the others too.</p>
          <p>It says: {failure.slice(0, 200)}</p>
        </Notice>
      ) : (
        <>
          {view === undefined ? <Loading what="Starting Aladin" /> : <Tools view={view} />}
          <div className={cx['aladin']} ref={box} />
        </>
      )}
    </Card>
  )
}

function Tools({ view: { aladin, whole } }: { view: AladinView }) {
  const [stretch, setStretch] = useState<string>('asinh')
  const [map, setMap] = useState<string>('grayscale')
  const [grid, setGrid] = useState(false)
  const [frame, setFrame] = useState('ICRS')
  const colours = (name: string, how: string) => {
    setMap(name)
    setStretch(how)
    aladin.getBaseImageLayer()?.setColormap(name, { stretch: how, reversed: false })
  }
  return (
    <div className={cx['tools']} role="toolbar" aria-label="Aladin" aria-orientation="horizontal">
      <Choice label="Stretch" value={stretch} options={stretches} onChoose={(how) => colours(map, how)} />
      <Choice label="Colours" value={map} options={maps} onChoose={(name) => colours(name, stretch)} />
      <Choice
        label="Frame"
        value={frame}
        options={[
          ['ICRS', 'Equatorial (ICRS)'],
          ['Galactic', 'Galactic'],
        ]}
        onChoose={(name) => {
          setFrame(name)
          aladin.setFrame(name)
        }}
      />
      <Button
        variant={grid ? 'filled' : 'default'}
        aria-pressed={grid}
        onClick={() => {
          setGrid(!grid)
          aladin.setCooGrid({ enabled: !grid })
        }}
      >
        Grid
      </Button>
      <Button.Group>
        <Button variant="default" aria-label="Nearer" onClick={() => aladin.increaseZoom()}>
          <Icon name="plus" size={16} />
        </Button>
        <Button variant="default" aria-label="Farther" onClick={() => aladin.decreaseZoom()}>
          <Icon name="minus" size={16} />
        </Button>
        <Button variant="default" aria-label="The whole image" onClick={whole}>
          <Icon name="fit" size={16} />
        </Button>
      </Button.Group>
      <Button.Group>
        {moves.map(({ label, turn, by }) => (
          <Button key={label} variant="default" aria-label={label} onClick={() => move(aladin, by)}>
            <span className={cx['arrow']} data-turn={turn}>
              <Icon name="chevron" size={16} />
            </span>
          </Button>
        ))}
      </Button.Group>
    </div>
  )
}

const moves = [
  { label: 'To the left', turn: 180, by: [-0.15, 0] },
  { label: 'Up', turn: 270, by: [0, -0.15] },
  { label: 'Down', turn: 90, by: [0, 0.15] },
  { label: 'To the right', turn: 0, by: [0.15, 0] },
] as const

/** Looks beside: by a share of what is seen. */
function move(aladin: Aladin, [dx, dy]: readonly [number, number]) {
  const [width, height] = aladin.getSize()
  const to = aladin.pix2world(width * (0.5 + dx), height * (0.5 + dy))
  if (to !== undefined) aladin.gotoRaDec(to[0], to[1])
}
