import { useId, type ReactNode } from 'react'
import cx from './submit.module.css'

type FieldProps = {
  label: string
  meaning: string
  required?: boolean
  error?: string | undefined
  /** Why it cannot be used now. */
  hindered?: string | undefined
  /** The control, with what ties it to its words. */
  children: (control: { id: string; 'aria-describedby': string; 'aria-invalid': boolean }) => ReactNode
}

/** A control with its name, its meaning, and what is wrong with its value. */
export function Field({ label, meaning, required = false, error, hindered, children }: FieldProps) {
  const id = useId()
  return (
    <div className={cx['field']}>
      <label className={cx['label']} htmlFor={id}>
        {label}
        {required && <span aria-hidden="true"> *</span>}
      </label>
      {children({ id, 'aria-describedby': `${id}-words`, 'aria-invalid': error !== undefined })}
      <div id={`${id}-words`}>
        {error !== undefined && <div className={cx['fault']}>{error}</div>}
        {hindered !== undefined && <div className={cx['hindered']}>{hindered}.</div>}
        <div className={cx['meaning']}>{meaning}</div>
      </div>
    </div>
  )
}
