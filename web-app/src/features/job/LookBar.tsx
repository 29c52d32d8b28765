import { useState } from 'react'
import { orders, rangeOf, stretches, type Look } from './look'
import cx from './job.module.css'

type LookBarProps = {
  look: Look
  /** They are pictures as they are, and not drawn. */
  made: boolean
  onLook: (look: Partial<Look>) => void
}

/** How pictures are drawn: by themselves, or all alike so that they can be compared. */
export function LookBar({ look, made, onLook }: LookBarProps) {
  const [range, setRange] = useState(look.range ?? '')
  const isBad = range.trim() !== '' && rangeOf(range) === undefined
  return (
    <div className={cx['look']}>
      {!made && (
        <>
          <label className={cx['inline']}>
            Stretch
            <select
              value={look.stretch ?? ''}
              onChange={({ currentTarget: { value } }) =>
                onLook({ stretch: value === '' ? undefined : value })
              }
            >
              <option value="">as each asks</option>
              {stretches.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
          <form
            className={cx['inline']}
            onSubmit={(event) => {
              event.preventDefault()
              if (!isBad) onLook({ range: rangeOf(range) })
            }}
          >
            <label className={cx['inline']}>
              Same range for all
              <input
                className={cx['range']}
                placeholder="each its own"
                title="Least and greatest value, such as -5,20, in the unit of the images"
                aria-invalid={isBad}
                value={range}
                onChange={({ currentTarget }) => setRange(currentTarget.value)}
                onBlur={() => {
                  if (!isBad) onLook({ range: rangeOf(range) })
                }}
              />
            </label>
          </form>
        </>
      )}
      <label className={cx['inline']}>
        Order
        <select
          value={look.order ?? ''}
          onChange={({ currentTarget: { value } }) => onLook({ order: orders.find((one) => one === value) })}
        >
          <option value="">of the list</option>
          <option value="name">name</option>
          <option value="band">band</option>
          <option value="ra">RA</option>
          <option value="dec">Dec</option>
        </select>
      </label>
      <label className={cx['inline']}>
        Size
        <select
          value={look.size ?? 'm'}
          onChange={({ currentTarget: { value } }) =>
            onLook({ size: value === 's' || value === 'l' ? value : undefined })
          }
        >
          <option value="s">small</option>
          <option value="m">middle</option>
          <option value="l">large</option>
        </select>
      </label>
    </div>
  )
}
