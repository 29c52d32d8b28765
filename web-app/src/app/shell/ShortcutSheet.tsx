import { shortcutSheet } from '@/shared/lib/hotkeys'
import { KeyList } from '@/shared/ui/KeyList'
import { Modal } from '@/shared/ui/kit/modal'
import cx from './shell.module.css'

export function ShortcutSheet({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keys" size="md">
      <div className={cx['sheet']}>
        {shortcutSheet.map(({ where, keys }) => (
          <section key={where}>
            <h3>{where}</h3>
            <KeyList keys={keys} className={cx['keys']} />
          </section>
        ))}
      </div>
    </Modal>
  )
}
