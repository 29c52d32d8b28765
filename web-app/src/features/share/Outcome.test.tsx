import { cleanup, render } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import type { ManifestRow } from '@/shared/api/results'
import { Outcome } from './Outcome'

afterEach(cleanup)

const told = (ok: number, failed: number) => {
  cleanup()
  const row = { status: 'failed', reason: 'outside_footprint' } as ManifestRow
  const { container } = render(
    <Outcome manifest={{ counts: { ok, failed }, rows: failed > 0 ? [row] : [] }} />,
  )
  return {
    text: container.querySelector('p')?.textContent,
    glyphs: container.querySelectorAll('p svg').length,
  }
}

it('has a check only before what is there', () => {
  expect(told(2, 0)).toEqual({ text: '2 cutouts', glyphs: 1 })
  expect(told(2, 1)).toEqual({ text: '2 cutouts1 failed', glyphs: 2 })
  // The one that is left stands before what has failed.
  expect(told(0, 1)).toEqual({ text: 'No cutout1 failed', glyphs: 1 })
})
