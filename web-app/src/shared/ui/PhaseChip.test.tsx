import { cleanup, render, screen } from '@testing-library/react'
import { afterEach, expect, it } from 'vitest'
import type { Phase } from '@/shared/api/phases'
import { PhaseChip } from './PhaseChip'

afterEach(cleanup)

function chip(phase: Phase, failed?: number) {
  cleanup()
  const { container } = render(<PhaseChip phase={phase} failed={failed} />)
  return {
    text: container.textContent,
    glyph: container.querySelector('path')?.getAttribute('d'),
  }
}

it('tells a job that is completed but for a part by word and glyph', () => {
  const whole = chip('COMPLETED', 0)
  const part = chip('COMPLETED', 16)
  expect(whole.text).toBe('Completed')
  expect(part.text).toBe('Completed, 16 failed')
  expect(part.glyph).not.toBe(whole.glyph)
  expect(screen.getByTitle('Has ended; not all of it could be made')).toBeDefined()
  expect(chip('EXECUTING', 16)).toEqual(chip('EXECUTING'))
})
