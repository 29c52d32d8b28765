import { useQuery } from '@tanstack/react-query'
import type { ParameterInfo } from '@/shared/api/me'
import { collectionsQuery } from './check'
import { Field } from './Field'
import { TagsInput } from './TagsInput'
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
  const { kind, repeatable, meaning, required } = info
  const label = info.unit == null ? info.name : `${info.name} (${info.unit})`
  const one = (value: string) => onValues(value === '' ? [] : [value])
  return (
    <Field label={label} meaning={meaning} required={required} error={error}>
      {(control) =>
        kind.type === 'choice' ? (
          <select
            {...control}
            className={cx['select']}
            value={values[0] ?? ''}
            onChange={({ currentTarget }) => one(currentTarget.value)}
          >
            <option value="">{info.default == null ? 'none' : `${info.default} (as usual)`}</option>
            {(kind.options ?? [])
              .filter((option) => option !== info.default)
              .map((option) => (
                <option key={option}>{option}</option>
              ))}
          </select>
        ) : repeatable ? (
          <TagsInput
            control={control}
            placeholder={info.default ?? 'Enter after each'}
            suggestions={suggestions}
            values={values}
            onValues={onValues}
          />
        ) : (
          <input
            {...control}
            className={cx['text']}
            placeholder={info.default ?? undefined}
            inputMode={kind.type === 'real' ? 'decimal' : undefined}
            value={values[0] ?? ''}
            onChange={({ currentTarget }) => one(currentTarget.value)}
          />
        )
      }
    </Field>
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
