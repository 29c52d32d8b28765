import { useState } from 'react'
import { Icon } from '@/shared/ui/Icon'
import cx from './submit.module.css'

type TagsInputProps = {
  control: { id: string; 'aria-describedby': string; 'aria-invalid': boolean }
  placeholder: string
  suggestions: readonly string[]
  values: readonly string[]
  onValues: (values: string[]) => void
}

/** Several texts, each added by Enter, a semicolon, or leaving the field. */
export function TagsInput({ control, placeholder, suggestions, values, onValues }: TagsInputProps) {
  const [typed, setTyped] = useState('')
  const add = (text: string) => {
    const more = text
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== '' && !values.includes(one))
    setTyped('')
    if (more.length > 0) onValues([...values, ...more])
  }
  const rest = suggestions.filter((one) => !values.includes(one))
  const list = `${control.id}-list`
  return (
    <div className={cx['tags']} data-bad={control['aria-invalid'] || undefined}>
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
        {...control}
        list={rest.length > 0 ? list : undefined}
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
      {rest.length > 0 && (
        <datalist id={list}>
          {rest.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </div>
  )
}
