import type { FormValues } from './form'

/**
 * Which parameters go together is what the description of a service cannot say. The server refuses the same; here
 * it is told before anything is typed. A service without rules has all of its parameters at any time.
 */

type Values = FormValues['parameters']
type Rule = (values: Values) => string | undefined

const valueOf = (values: Values, name: string) => (values[name]?.[0] ?? '').trim().toLowerCase()
const isGiven = (values: Values, name: string) => (values[name] ?? []).some((value) => value.trim() !== '')

const ofPictures: Rule = (values) =>
  valueOf(values, 'PREVIEW') === 'true' || valueOf(values, 'FORMAT') === 'png'
    ? undefined
    : 'Of pictures only: choose PREVIEW true or FORMAT png first'

const cutout: Record<string, Rule> = {
  PREVIEW: (values) =>
    valueOf(values, 'FORMAT') === 'png' ? 'With FORMAT png the cutouts are pictures already' : undefined,
  RGB: (values) => {
    if (valueOf(values, 'FORMAT') === 'png') return 'Drawn beside FITS cutouts: FORMAT must not be png'
    return valueOf(values, 'PREVIEW') === 'true' ? undefined : 'Drawn with PREVIEW true only'
  },
  CUTS: ofPictures,
  STRETCH: ofPictures,
  CMAP: ofPictures,
  INVERT: ofPictures,
  SIDE: ofPictures,
  SIZE: (values) =>
    !isGiven(values, 'POSITIONS') && ['CIRCLE', 'POLYGON', 'POS'].some((name) => isGiven(values, name))
      ? 'Of positions only: a shape has its own size'
      : undefined,
  LIGHTCURVE: (values) =>
    ['POSITIONS', 'CIRCLE', 'POS'].some((name) => isGiven(values, name))
      ? undefined
      : 'Of positions and circles, of which none is given yet',
}

const rules: Record<string, Record<string, Rule>> = { cutout }

/** Why a parameter cannot be given beside the others, if it cannot. */
export const hindrance = (service: string, parameter: string, values: Values): string | undefined =>
  rules[service]?.[parameter]?.(values)
