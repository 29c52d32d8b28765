import { useStore } from '@/shared/lib/store'
import { Icon } from './Icon'
import { dismiss, toasts } from './toasts'
import cx from './toasts.module.css'

export function Toasts() {
  const shown = useStore(toasts)
  return (
    <div className={cx['stack']} role="status" aria-live="polite">
      {shown.map(({ id, kind, text, action }) => (
        <div key={id} className={cx['toast']} data-kind={kind}>
          <Icon name={kind === 'done' ? 'check' : 'warning'} />
          <span className={cx['text']}>{text}</span>
          {action && (
            <button
              type="button"
              className={cx['action']}
              onClick={() => {
                dismiss(id)
                action.run()
              }}
            >
              {action.label}
            </button>
          )}
          <button type="button" className={cx['close']} aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Icon name="close" size={16} />
          </button>
        </div>
      ))}
    </div>
  )
}
