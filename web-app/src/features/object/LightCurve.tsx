import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { lazy, Suspense, useMemo } from 'react'
import type { Job } from '@/shared/api/jobs'
import { reasonWords, resultTextQuery, resultUrl } from '@/shared/api/results'
import { significant } from '@/shared/image/figures'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { Loaded, Loading } from '@/shared/ui/States'
import { curveOf, errorOf, mjdText, readLightCurve, type Sample } from './lightcurve'
import cx from './object.module.css'

const Plot = lazy(() =>
  import('@/shared/charts/Plot').then(({ Plot: component }) => ({ default: component })),
)

/** The light curve that the job has written beside the cutouts; its name is that of the FITS table. */
export function LightCurve({ job, file }: { job: Job; file: string }) {
  const csv = file.replace(/\.fits$/, '.csv')
  const query = useQuery(resultTextQuery(job, csv))
  return (
    <Card
      title="Light curve"
      aside={
        <span className={cx['row']}>
          {[csv, file].map((name) => (
            <Button
              key={name}
              component="a"
              variant="default"
              size="compact-sm"
              href={resultUrl(job, name)}
              download={name}
              leftSection={<Icon name="download" size={16} />}
            >
              {name.endsWith('.csv') ? 'CSV' : 'FITS'}
            </Button>
          ))}
        </span>
      }
    >
      <Loaded query={query} what="Reading the light curve">
        {(text) => <Curve text={text} />}
      </Loaded>
    </Card>
  )
}

const words = (sample: Sample) => {
  const error = errorOf(sample)
  const value = sample.value === undefined ? 'none' : significant(sample.value)
  return `${value}${error === undefined ? '' : ` ± ${significant(error)}`} ${sample.unit}`
}

function Curve({ text }: { text: string }) {
  const samples = useMemo(() => readLightCurve(text), [text])
  const { x, unit, series, at } = useMemo(() => curveOf(samples), [samples])
  const table = <Table samples={samples} />
  if (x.length === 0) {
    return (
      <>
        <p className={cx['dim']}>No image has a good value with a time at this position. What there is:</p>
        {table}
      </>
    )
  }
  return (
    <>
      <Suspense fallback={<Loading what="Drawing the light curve" />}>
        <Plot
          label={`Values by time in ${series.map(({ name }) => name).join(', ')}`}
          x={x}
          xLabel="MJD (UTC), days"
          yLabel={unit === undefined ? 'Value, units differ' : `Value, ${unit}`}
          series={series}
          tell={(index) => (
            <>
              MJD {mjdText(x[index] ?? NaN)}:{' '}
              {at[index]?.map((sample) => `${sample.band} ${words(sample)}`).join('; ')}
            </>
          )}
        >
          {table}
        </Plot>
      </Suspense>
      <p className={cx['dim']}>
        The pixel at the position in every image; bars are one standard deviation, from the weights.
      </p>
    </>
  )
}

function Table({ samples }: { samples: readonly Sample[] }) {
  return (
    // A region that scrolls must be reachable by keyboard.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className={cx['scroll']} tabIndex={0} role="region" aria-label="Light curve">
      <table className={cx['samples']}>
        <thead>
          <tr>
            <th scope="col" className={cx['end']}>
              MJD
            </th>
            <th scope="col">Band</th>
            <th scope="col">Observation</th>
            <th scope="col">Value</th>
            <th scope="col">Flaw</th>
          </tr>
        </thead>
        <tbody>
          {samples.map((sample, index) => (
            // Neither time nor observation need be one row's alone.
            <tr key={index}>
              <td className={cx['end']}>{sample.mjd === undefined ? 'not given' : mjdText(sample.mjd)}</td>
              <td>{sample.band}</td>
              <td>{sample.obs}</td>
              <td>{words(sample)}</td>
              <td>{sample.reason === '' ? 'none' : reasonWords(sample.reason)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
