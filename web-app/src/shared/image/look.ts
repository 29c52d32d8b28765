import * as z from 'zod/mini'
import { colourMaps, type ColourMap } from '@/shared/astro/colours'
import { parseCuts } from '@/shared/astro/limits'
import { stretches, type Stretch } from '@/shared/astro/stretch'
import { flag, oneOf, text } from '@/shared/lib/search'

/** How an image is drawn, as an address has it: what is not given is as the image's unit asks. */
export type Look = {
  stretch?: Stretch | undefined
  /** A rule or `LOW,HIGH`, as the server's CUTS. */
  cuts?: string | undefined
  map?: ColourMap | undefined
  invert?: true | undefined
}

/** The search parameters of a look. */
export const lookSearch = {
  stretch: oneOf(stretches),
  cuts: z.catch(
    z.pipe(text, z.optional(z.string().check(z.refine((value) => parseCuts(value) !== undefined)))),
    undefined,
  ),
  map: oneOf(colourMaps),
  invert: flag,
}

export type FullLook = { stretch: Stretch; cuts: string; map: ColourMap; invert: boolean }

/** Maps of temperature or of flux per beam lie about zero: cold is as much as hot. */
export function liesAboutZero(unit: string): boolean {
  const bare = unit.replace(/\s/g, '')
  return /^[munµμ]?(K|[Kk]elvin)($|[_(cCrR])/.test(bare) || /jy\/beam|jybeam\^?-1/i.test(bare)
}

/** The look with what is by default, as the server draws. */
export function fullLook({ stretch, cuts, map, invert }: Look, unit: string): FullLook {
  const colours = map ?? (liesAboutZero(unit) ? 'rdbu_r' : 'grey')
  const bothWays = colours === 'rdbu_r'
  return {
    map: colours,
    stretch: stretch ?? (bothWays ? 'linear' : 'asinh'),
    cuts: cuts ?? (bothWays ? 'symmetric' : '99.5%'),
    invert: invert === true,
  }
}
