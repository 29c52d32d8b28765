import { expect, it } from 'vitest'
import { atHdu, readOthers } from './kept'

it('each HDU has its limits again when it is come back to', () => {
  const image = { cuts: '0,255', plane: 3 }
  const weights = atHdu(image, 1, 2)
  expect(weights).toEqual({ hdu: 2, plane: undefined, cuts: undefined, others: '1:0,255' })
  const back = atHdu({ ...weights, cuts: '-1,1e-3' }, 2, 1)
  expect(back).toMatchObject({ hdu: 1, cuts: '0,255', others: '2:-1,1e-3' })
  expect(atHdu(back, 1, 2)).toMatchObject({ hdu: 2, cuts: '-1,1e-3', others: '1:0,255' })
})

it('a rule goes along, numbers do not', () => {
  expect(atHdu({ cuts: 'zscale' }, 0, 1).cuts).toBe('zscale')
  expect(atHdu({ cuts: '1,2' }, 0, 1).cuts).toBeUndefined()
  expect(atHdu({}, 0, 1)).toEqual({ hdu: 1, plane: undefined, cuts: undefined, others: undefined })
  // What by default is chosen again is not what was chosen before.
  expect(atHdu({ others: '0:1,2;1:3,4' }, 0, 1)).toMatchObject({ cuts: '3,4', others: undefined })
})

it('what somebody else has written into an address is taken if it is limits', () => {
  expect([...readOthers('1:0,255;x:1,2;2:5,1;3:99%;4:<b>;5')]).toEqual([
    [1, '0,255'],
    [3, '99%'],
  ])
  const many = Array.from({ length: 900 }, (_, hdu) => `${hdu}:0,1`).join(';')
  expect(atHdu({ others: many }, 1000, 1001).others?.split(';')).toHaveLength(40)
})
