import type UPlot from 'uplot'
import type { PlotSeries } from './Plot'

/** After Okabe and Ito: told apart by every eye, seen on light and on dark. */
const colours = ['#2b84c6', '#d55e00', '#009e73', '#cc79a7', '#c58a00', '#7a86a8']
/** Circle, square, triangle, diamond, and a triangle on its head, about a middle. */
const shapes = [
  'M-4.500 0A4.500 4.500 0 1 0 4.500 0A4.500 4.500 0 1 0-4.500 0Z',
  'M-4-4H4V4H-4Z',
  'M0-5L5 4H-5Z',
  'M0-5.500L5.500 0L0 5.500L-5.500 0Z',
  'M0 5L5-4H-5Z',
]

export const seriesColour = (index: number) => colours[index % colours.length] ?? 'currentColor'
export const shapeOf = (index: number) => shapes[index % shapes.length] ?? ''

/** The points of all series, with their bars. */
export function drawMarks(plot: UPlot, series: readonly PlotSeries[], x: readonly number[]) {
  const { ctx } = plot
  const ratio = window.devicePixelRatio
  const { left, top, width, height } = plot.bbox
  ctx.save()
  ctx.beginPath()
  ctx.rect(left, top, width, height)
  ctx.clip()
  series.forEach(({ values, errors }, index) => {
    const path = new Path2D(shapeOf(index))
    ctx.fillStyle = seriesColour(index)
    ctx.strokeStyle = seriesColour(index)
    ctx.lineWidth = 1.4 * ratio
    values.forEach((value, at) => {
      if (value === null) return
      const px = plot.valToPos(x[at] ?? 0, 'x', true)
      const bar = errors?.[at] ?? null
      if (bar !== null) {
        const [foot, head] = [plot.valToPos(value - bar, 'y', true), plot.valToPos(value + bar, 'y', true)]
        ctx.beginPath()
        ctx.moveTo(px, foot)
        ctx.lineTo(px, head)
        for (const end of [foot, head]) {
          ctx.moveTo(px - 3 * ratio, end)
          ctx.lineTo(px + 3 * ratio, end)
        }
        ctx.stroke()
      }
      ctx.save()
      ctx.translate(px, plot.valToPos(value, 'y', true))
      ctx.scale(ratio, ratio)
      ctx.fill(path)
      ctx.restore()
    })
  })
  ctx.restore()
}
