import { useQuery } from '@tanstack/react-query'
import { formatDec, formatRa, longitude } from '@/shared/astro/coords'
import type { Pixel, Wcs } from '@/shared/astro/wcs'
import { significant } from './figures'
import type { Target } from './protocol'
import { pixelValue } from './queries'
import cx from './image.module.css'

type ReadoutProps = {
  target: Target
  unit: string
  /** Or why there are no coordinates. */
  wcs: Wcs | string
  cursor: Pixel | undefined
  /** A cursor that keys move is told to a screen reader. */
  spoken: boolean
}

/** What is under the cursor: pixel, value, place on the sky. */
export function Readout({ target, unit, wcs, cursor, spoken }: ReadoutProps) {
  const { data: value } = useQuery({
    queryKey: ['pixel', target, cursor] as const,
    queryFn: () => (cursor === undefined ? null : pixelValue(target, cursor.x, cursor.y)),
    enabled: cursor !== undefined,
    staleTime: Infinity,
    gcTime: 1_000,
    retry: false,
  })
  const sky = cursor === undefined || typeof wcs === 'string' ? undefined : wcs.toSky(cursor)
  return (
    <dl className={cx['readout']} aria-live={spoken ? 'polite' : 'off'} aria-label="Under the cursor">
      <Item name="Pixel" value={cursor === undefined ? '–' : `${cursor.x}, ${cursor.y}`} />
      <Item
        name="Value"
        value={
          cursor === undefined || value === undefined
            ? '–'
            : value === null
              ? 'undefined'
              : `${significant(value)} ${unit}`
        }
      />
      {typeof wcs === 'string' ? (
        <Item name="Sky" value={`none: ${wcs}`} />
      ) : (
        <>
          <Item
            name={wcs.frame === 'galactic' ? 'l, b' : `RA, Dec (${wcs.system})`}
            value={skyText(wcs, sky)}
          />
          <Item
            name="Degrees"
            value={sky === undefined ? '–' : `${longitude(sky.ra, 6)}  ${signed(sky.dec.toFixed(6))}`}
          />
        </>
      )}
    </dl>
  )
}

function Item({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function skyText({ frame }: Wcs, sky: { ra: number; dec: number } | undefined): string {
  if (sky === undefined) return '–'
  if (frame === 'galactic') return `${longitude(sky.ra, 4)}° ${signed(sky.dec.toFixed(4))}°`
  return `${formatRa(sky.ra)} ${formatDec(sky.dec)}`
}

const signed = (text: string) => (text.startsWith('-') ? text.replace('-', '−') : `+${text}`)
