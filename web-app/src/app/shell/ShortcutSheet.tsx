import { keyName, shortcutSheet } from '@/shared/lib/hotkeys'
import { Fragment } from 'react'
import { Modal } from '@/shared/ui/kit/modal'
import cx from './shell.module.css'

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keys" size="md">
      <div className={cx['sheet']}>
        {shortcutSheet.map(({ where, keys }) => (
          <section key={where}>
            <h3>{where}</h3>
            <dl className={cx['keys']}>
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
          </section>
        ))}
      </div>
    </Modal>
  )
}
