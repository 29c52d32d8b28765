import 'uplot/dist/uPlot.min.css'
import { useEffect, useRef, useState, type ReactNode } from 'react'
import UPlot from 'uplot'
import { drawMarks, seriesColour, shapeOf } from './marks'
import cx from './plot.module.css'

export type PlotSeries = {
  name: string
  /** Of each x; null where there is none. */
  values: readonly (number | null)[]
  /** Half the length of the bar at each value. */
  errors?: readonly (number | null)[]
}

type PlotProps = {
  label: string
  /** Rising. */
  x: readonly number[]
  xLabel: string
  yLabel: string
  series: readonly PlotSeries[]
  /** What is told of the values at a place of the pointer. */
  tell: (index: number) => ReactNode
  /** The same as a table. */
  children: ReactNode
  time?: boolean
  height?: number
}

/** Points with error bars against numbers or times. The marks differ in form, so that colour is not alone. */
export function Plot(props: PlotProps) {
  const { label, x, xLabel, yLabel, series, tell, children, time = false, height = 300 } = props
  const box = useRef<HTMLDivElement>(null)
  const [under, setUnder] = useState<number>()

  useEffect(() => {
    const element = box.current
    if (element === null) return
    // Neither canvases nor what is drawn on them follow the theme by themselves.
    const colour = (name: string) => getComputedStyle(element).getPropertyValue(name)
    const axis = {
      stroke: () => colour('--dim'),
      grid: { stroke: () => colour('--line'), width: 1 },
      ticks: { stroke: () => colour('--line'), width: 1 },
      font: '12px system-ui, sans-serif',
      labelFont: '12px system-ui, sans-serif',
    }
    const plot = new UPlot(
      {
        width: element.clientWidth,
        height,
        legend: { show: false },
        cursor: { y: false, points: { show: false } },
        scales: {
          x: { time, range: padded },
          y: { range: (_plot, low, high) => rangeOf(series, low, high) },
        },
        axes: [
          {
            ...axis,
            label: xLabel,
            // Times have words of their own; of numbers, such as days, each figure counts.
            ...(time ? {} : { values: (_plot: UPlot, splits: number[]) => splits.map(String) }),
          },
          { ...axis, label: yLabel, size: 64 },
        ],
        series: [
          {},
          ...series.map(({ name }) => ({ label: name, paths: () => null, points: { show: false } })),
        ],
        hooks: {
          draw: [(made) => drawMarks(made, series, x)],
          setCursor: [({ cursor }) => setUnder(cursor.idx ?? undefined)],
        },
      },
      [[...x], ...series.map(({ values }) => [...values])],
      element,
    )
    const resize = new ResizeObserver(() => {
      if (element.clientWidth > 0) plot.setSize({ width: element.clientWidth, height })
    })
    resize.observe(element)
    const themes = new MutationObserver(() => plot.redraw(false, true))
    themes.observe(document.documentElement, { attributeFilter: ['data-mantine-color-scheme', 'data-theme'] })
    return () => {
      resize.disconnect()
      themes.disconnect()
      plot.destroy()
    }
  }, [x, xLabel, yLabel, series, time, height])

  return (
    <figure className={cx['plot']}>
      <ul className={cx['legend']}>
        {series.map(({ name }, index) => (
          <li key={name}>
            <svg width={14} height={14} viewBox="-7 -7 14 14" aria-hidden="true">
              <path d={shapeOf(index)} fill={seriesColour(index)} />
            </svg>
            {name}
          </li>
        ))}
      </ul>
      <div
        ref={box}
        className={cx['canvas']}
        role="img"
        aria-label={`${label}. The table below has the same.`}
      />
      <figcaption className={cx['told']}>{under === undefined ? '' : tell(under)}</figcaption>
      <details className={cx['table']}>
        <summary>As a table</summary>
        {children}
      </details>
    </figure>
  )
}

/** Room at both ends, so that no point is on the edge; some also for a single one. */
function padded(_plot: UPlot, low: number | null, high: number | null): [number, number] {
  const [from, to] = [low ?? 0, high ?? 1]
  const room = from === to ? 1 : (to - from) * 0.05
  return [from - room, to + room]
}

/** From the foot of the lowest bar to the top of the highest. */
function rangeOf(series: readonly PlotSeries[], low: number | null, high: number | null): [number, number] {
  let [least, most] = [low ?? 0, high ?? 1]
  for (const { values, errors } of series) {
    values.forEach((value, index) => {
      if (value === null) return
      const bar = errors?.[index] ?? 0
      least = Math.min(least, value - bar)
      most = Math.max(most, value + bar)
    })
  }
  const room = least === most ? Math.abs(least) * 0.1 || 1 : (most - least) * 0.06
  return [least - room, most + room]
}
