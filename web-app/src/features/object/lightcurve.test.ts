import { describe, expect, it } from 'vitest'
import { curveOf, errorOf, mjdText, parseCsv, readLightCurve } from './lightcurve'

const head = 'mjd,mjd_beg,mjd_end,band,obs,type,value,weight,reason,x,y,hdu,collection,image,unit'
const text = [
  head,
  '60504.25,60504,60504.5,90GHz,n2,,-2.5,0.04,,1,2,0,maps,b.fits,mJy',
  '60501.25,60501,60501.5,90GHz,n1,,1.5,4,,1,2,0,maps,a.fits,mJy',
  '60501.25,60501,60501.5,150GHz,n1,,7,,,1,2,0,maps,c.fits,mJy',
  '60502.25,60502,60502.5,90GHz,n3,,3,0,zero_weight,1,2,0,maps,d.fits,mJy',
  ',,,90GHz,n4,,3,1,,1,2,0,maps,"e, ""x"".fits",mJy',
].join('\n')

describe('light curves', () => {
  it('reads cells as CSV has them', () => {
    expect(parseCsv('a,"b, ""c""",\r\n"d\ne",f\n')).toEqual([
      ['a', 'b, "c"', ''],
      ['d\ne', 'f'],
    ])
    expect(parseCsv('')).toEqual([])
  })

  it('tells times to a tenth of a second', () => {
    expect([58909.010416666664, 60501, 51544.9999999].map(mjdText)).toEqual([
      '58909.010417',
      '60501.000000',
      '51545.000000',
    ])
  })

  it('has a standard deviation of a weight above zero only', () => {
    expect(errorOf({ weight: 4 })).toBe(0.5)
    expect(errorOf({ weight: 0 })).toBeUndefined()
    expect(errorOf({ weight: undefined })).toBeUndefined()
  })

  it('draws what has a time, a value and no flaw, by band', () => {
    const samples = readLightCurve(text)
    expect(samples).toHaveLength(5)
    const { x, series } = curveOf(samples)
    expect(x).toEqual([60501.25, 60504.25])
    expect(series).toEqual([
      { name: '90GHz', values: [1.5, -2.5], errors: [0.5, 5] },
      { name: '150GHz', values: [7, null], errors: [null, null] },
    ])
  })

  it('has one unit, or tells that of each band', () => {
    expect(curveOf(readLightCurve(text)).unit).toBe('mJy')
    const mixed = readLightCurve(
      [head, '1,,,r,,,1,,,,,,,,mJy', '1,,,g,,,2,,,,,,,,uK', '2,,,g,,,2,,,,,,,,'].join('\n'),
    )
    const { unit, series } = curveOf(mixed)
    expect([unit, ...series.map(({ name }) => name)]).toEqual([undefined, 'g, uK and no unit', 'r, mJy'])
  })

  it('hides none of two of a band at one time', () => {
    const twice = readLightCurve([head, ...Array<string>(2).fill('5,,,r,,,1,1,,,,,,,')].join('\n'))
    expect(curveOf(twice).x).toEqual([5, 5])
  })

  it('reads a file of other columns as one that says nothing', () => {
    expect(curveOf(readLightCurve('<html>\n<body>'))).toMatchObject({ x: [], series: [] })
  })
})
