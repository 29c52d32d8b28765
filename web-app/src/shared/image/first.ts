import type { HduInfo } from './protocol'

/** The first HDU that can be drawn. */
export const firstImage = (hdus: readonly HduInfo[]): HduInfo | undefined =>
  hdus.find(({ refusal }) => refusal === undefined)

/** The HDU that a file is looked at by: the first that can be drawn, else the first with data, to say why it cannot. */
export const firstHdu = (hdus: readonly HduInfo[]): HduInfo | undefined =>
  firstImage(hdus) ?? hdus.find(({ axes }) => axes.length > 0) ?? hdus[0]
