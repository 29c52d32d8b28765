import { useDeferredValue, useState } from 'react'
import type { Card } from '@/shared/astro/header'
import { plural } from '@/shared/lib/format'
import cx from './image.module.css'

/** More than these are not put on the page at once; the search finds the others. */
const MOST = 600

/** A header, with a search in it. */
export function HeaderCards({ cards }: { cards: readonly Card[] }) {
  const [text, setText] = useState('')
  const sought = useDeferredValue(text).trim().toLowerCase()
  const found = cards.filter(
    ({ keyword, value, comment }) =>
      sought === '' || `${keyword} ${valueText(value)} ${comment}`.toLowerCase().includes(sought),
  )
  return (
    <>
      <div className={cx['headerFind']}>
        <input
          type="search"
          aria-label="Find in the header"
          placeholder="Keyword, value or comment"
          value={text}
          onChange={({ currentTarget }) => setText(currentTarget.value)}
        />
        <span role="status">
          {sought === ''
            ? plural(cards.length, 'card')
            : `${found.length} of ${plural(cards.length, 'card')}`}
          {found.length > MOST && `, the first ${MOST} shown`}
        </span>
      </div>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className={cx['cards']} tabIndex={0} role="region" aria-label="Cards of the header">
        <table>
          <thead>
            <tr>
              <th scope="col">Keyword</th>
              <th scope="col">Value</th>
              <th scope="col">Comment</th>
            </tr>
          </thead>
          <tbody>
            {found.slice(0, MOST).map(({ keyword, value, comment }, index) => (
              // Keywords such as HISTORY come often, and a header does not change.
              <tr key={index}>
                <th scope="row">{keyword}</th>
                <td>{valueText(value)}</td>
                <td>{comment}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

const valueText = (value: Card['value']) =>
  value === undefined ? '' : value === true ? 'T' : value === false ? 'F' : String(value)
