import { useId, useState } from 'react'
import { Icon } from '@/shared/ui/Icon'
import cx from './submit.module.css'

type TagsFieldProps = {
  label: string
  meaning: string
  required: boolean
  placeholder: string
  suggestions: readonly string[]
  values: readonly string[]
  error: string | undefined
  onValues: (values: string[]) => void
}

/** Several texts, each added by Enter, a semicolon, or leaving the field. */
export function TagsField(props: TagsFieldProps) {
  const { label, meaning, required, placeholder, suggestions, values, error, onValues } = props
  const [typed, setTyped] = useState('')
  const id = useId()
  const add = (text: string) => {
    const more = text
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== '' && !values.includes(one))
    setTyped('')
    if (more.length > 0) onValues([...values, ...more])
  }
  const rest = suggestions.filter((one) => !values.includes(one))
  return (
    <div className={cx['field']}>
      <label className={cx['label']} htmlFor={id}>
        {label}
        {required && <span aria-hidden="true"> *</span>}
      </label>
      <div className={cx['tags']} data-bad={error !== undefined || undefined}>
        {values.map((value) => (
          <span key={value} className={cx['tag']}>
            {value}
            <button
              type="button"
              aria-label={`Remove ${value}`}
              onClick={() => onValues(values.filter((one) => one !== value))}
            >
              <Icon name="close" size={13} />
            </button>
          </span>
        ))}
        <input
          id={id}
          list={rest.length > 0 ? `${id}-list` : undefined}
          aria-describedby={`${id}-meaning`}
          aria-invalid={error !== undefined}
          placeholder={values.length === 0 ? placeholder : undefined}
          value={typed}
          onBlur={() => add(typed)}
          onChange={({ currentTarget: { value } }) => {
            // A suggestion that is taken comes whole.
            if (value.includes(';') || rest.includes(value)) add(value)
            else setTyped(value)
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey) {
              event.preventDefault()
              add(typed)
            } else if (event.key === 'Backspace' && typed === '') onValues(values.slice(0, -1))
          }}
        />
        <datalist id={`${id}-list`}>
          {rest.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      </div>
      <div className={cx['meaning']} id={`${id}-meaning`}>
        {meaning}
      </div>
      {error !== undefined && <div className={cx['fault']}>{error}</div>}
    </div>
  )
}
