import { useId, useState } from 'react'
import { colourMaps, type ColourMap } from '@/shared/astro/colours'
import { parseCuts, rules } from '@/shared/astro/limits'
import { stretches, type Limits, type Stretch } from '@/shared/astro/stretch'
import { limitTexts, significant } from './figures'
import type { FullLook, Look } from './look'
import cx from './image.module.css'

const stretchWords: Record<Stretch, string> = {
  linear: 'Linear',
  sqrt: 'Square root',
  log: 'Logarithm',
  asinh: 'Asinh',
}
const mapWords: Record<ColourMap, string> = {
  grey: 'Grey',
  viridis: 'Viridis',
  magma: 'Magma',
  inferno: 'Inferno',
  cubehelix: 'Cubehelix',
  rdbu_r: 'Blue, white, red',
}
const ruleWords: Record<(typeof rules)[number], string> = {
  '99.5%': 'Middle 99.5 %',
  '99%': 'Middle 99 %',
  '95%': 'Middle 95 %',
  zscale: 'Zscale',
  minmax: 'Least to greatest',
  symmetric: 'Even about zero',
}

type LookControlsProps = {
  look: FullLook
  /** What the limits are now. */
  limits: Limits | undefined
  onLook: (look: Look) => void
}

/** How an image is drawn. */
export function LookControls({ look, limits, onLook }: LookControlsProps) {
  const isRule = rules.some((rule) => rule === look.cuts)
  return (
    <div className={cx['controls']}>
      <Choice
        label="Stretch"
        value={look.stretch}
        options={stretches.map((name) => [name, stretchWords[name]])}
        onChoose={(value) => onLook({ stretch: stretches.find((name) => name === value) })}
      />
      <Choice
        label="Colours"
        value={look.map}
        options={colourMaps.map((name) => [name, mapWords[name]])}
        onChoose={(value) => onLook({ map: colourMaps.find((name) => name === value) })}
      />
      <Choice
        label="Limits"
        value={isRule ? look.cuts : 'own'}
        options={[
          ...rules.map((rule): [string, string] => [rule, ruleWords[rule]]),
          ...(isRule ? [] : [['own', 'As given'] as [string, string]]),
        ]}
        onChoose={(value) => {
          if (value !== 'own') onLook({ cuts: value })
        }}
      />
      {limits !== undefined && (
        <OwnLimits key={`${limits.low} ${limits.high}`} limits={limits} onCuts={(cuts) => onLook({ cuts })} />
      )}
      <label className={cx['check']}>
        <input
          type="checkbox"
          checked={look.invert}
          onChange={({ currentTarget }) => onLook({ invert: currentTarget.checked ? true : undefined })}
        />
        Invert
      </label>
    </div>
  )
}

type ChoiceProps = {
  label: string
  value: string
  options: readonly (readonly [string, string])[]
  onChoose: (value: string) => void
}

export function Choice({ label, value, options, onChoose }: ChoiceProps) {
  const id = useId()
  return (
    <div className={cx['choice']}>
      <label htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        {options.map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </div>
  )
}

/** The limits as numbers: taken when a field is left or Enter is pressed. */
function OwnLimits({ limits, onCuts }: { limits: Limits; onCuts: (cuts: string) => void }) {
  const [shown] = useState(() => limitTexts(limits))
  const [low, setLow] = useState(shown.low)
  const [high, setHigh] = useState(shown.high)
  const touched = low !== shown.low || high !== shown.high
  // An image of one value has no lower limit and no higher one: that is nobody's mistake.
  const wrong = touched && parseCuts(`${low},${high}`) === undefined
  return (
    // The fields in it are what is left.
    // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
    <form
      className={cx['own']}
      onSubmit={(event) => {
        event.preventDefault()
        if (!wrong && touched) onCuts(`${low.trim()},${high.trim()}`)
      }}
      onBlur={(event) => {
        if (!wrong && touched && !event.currentTarget.contains(event.relatedTarget))
          onCuts(`${low.trim()},${high.trim()}`)
      }}
    >
      {(
        [
          ['From', low, setLow],
          ['to', high, setHigh],
        ] as const
      ).map(([label, value, set]) => (
        <label key={label} className={cx['choice']}>
          <span>{label}</span>
          <input
            inputMode="decimal"
            value={value}
            aria-invalid={wrong}
            onChange={({ currentTarget }) => set(currentTarget.value)}
          />
        </label>
      ))}
      <button type="submit" className={cx['hidden']} tabIndex={-1}>
        Take these limits
      </button>
      {wrong && (
        <span role="alert" className={cx['wrong']}>
          Two numbers, the lower first.
        </span>
      )}
    </form>
  )
}

/** The colours from one limit to the other. */
export function ColourBar({ look, limits, unit }: { look: FullLook; limits: Limits; unit: string }) {
  return (
    <div className={cx['bar']}>
      <span>{significant(limits.low)}</span>
      <span className={cx['ramp']} data-map={look.map} data-invert={look.invert || undefined} />
      <span>
        {significant(limits.high)} {unit}
      </span>
    </div>
  )
}
