import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { TextInput } from '@/shared/ui/kit/inputs'
import type { ParameterInfo } from '@/shared/api/me'
import { collectionsQuery } from './check'
import { TagsField } from './TagsField'
import cx from './submit.module.css'

type ParameterFieldProps = {
  service: string
  info: ParameterInfo
  values: readonly string[]
  error: string | undefined
  onValues: (values: string[]) => void
}

/** A field for a parameter, as its description says: a choice, a number, a text, or several of them. */
export function ParameterField({ service, info, values, error, onValues }: ParameterFieldProps) {
  const suggestions = useSuggestions(service, info.name)
  const id = useId()
  const { kind, repeatable, meaning, required } = info
  const label = info.unit == null ? info.name : `${info.name} (${info.unit})`
  const placeholder = info.default ?? undefined
  if (kind.type === 'choice') {
    return (
      <div className={cx['field']}>
        <label className={cx['label']} htmlFor={id}>
          {label}
        </label>
        <select
          id={id}
          className={cx['select']}
          aria-describedby={`${id}-meaning`}
          value={values[0] ?? ''}
          onChange={({ currentTarget: { value } }) => onValues(value === '' ? [] : [value])}
        >
          <option value="">{info.default == null ? 'none' : `${info.default} (as usual)`}</option>
          {(kind.options ?? [])
            .filter((option) => option !== info.default)
            .map((option) => (
              <option key={option}>{option}</option>
            ))}
        </select>
        <div className={cx['meaning']} id={`${id}-meaning`}>
          {meaning}
        </div>
        {error !== undefined && <div className={cx['fault']}>{error}</div>}
      </div>
    )
  }
  if (repeatable && kind.type !== 'file') {
    return (
      <TagsField
        label={label}
        meaning={meaning}
        required={required}
        placeholder={placeholder ?? 'Enter after each'}
        suggestions={suggestions}
        values={values}
        error={error}
        onValues={onValues}
      />
    )
  }
  return (
    <TextInput
      label={label}
      description={meaning}
      inputWrapperOrder={['label', 'input', 'description', 'error']}
      required={required}
      placeholder={placeholder}
      inputMode={kind.type === 'real' ? 'decimal' : undefined}
      value={values[0] ?? ''}
      error={error}
      onChange={({ currentTarget: { value } }) => onValues(value === '' ? [] : [value])}
    />
  )
}

/** Words that the server knows for a parameter. Any other may be typed. */
function useSuggestions(service: string, parameter: string): string[] {
  const { data } = useQuery({
    ...collectionsQuery,
    enabled: service === 'cutout' && parameter === 'COLLECTION',
  })
  return data?.items.map(({ name }) => name) ?? []
}
