import { Fragment } from 'react'
import { keyName, type shortcutSheet } from '@/shared/lib/hotkeys'

type Keys = (typeof shortcutSheet)[number]['keys']

/** Keys and what they do. */
export function KeyList({ keys, className }: { keys: Keys; className: string | undefined }) {
  return (
    <dl className={className}>
      {keys.map(([key, meaning]) => (
        <Fragment key={key}>
          <dt>
            {key.split(/[ +]/).map((part) => (
              <Fragment key={part}>
                <kbd>{keyName(part)}</kbd>{' '}
              </Fragment>
            ))}
          </dt>
          <dd>{meaning}</dd>
        </Fragment>
      ))}
    </dl>
  )
}
