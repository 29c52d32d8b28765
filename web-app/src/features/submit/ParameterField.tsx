import { useQuery } from '@tanstack/react-query'
import type { ParameterInfo } from '@/shared/api/me'
import { collectionsQuery, wordsQuery } from './check'
import { Field } from './Field'
import { TagsInput } from './TagsInput'
import cx from './submit.module.css'

type ParameterFieldProps = {
  service: string
  info: ParameterInfo
  values: readonly string[]
  /** Those whose words are offered; none stands for all. */
  collections: readonly string[]
  error: string | undefined
  /** Why it cannot be given now. */
  hindered: string | undefined
  onValues: (values: string[]) => void
}

/** A field for a parameter, as its description says: a choice, a number, a text, or several of them. */
export function ParameterField({
  service,
  info,
  values,
  collections,
  error,
  hindered,
  onValues,
}: ParameterFieldProps) {
  const suggestions = useSuggestions(service, info.name, collections)
  const disabled = hindered !== undefined
  const { kind, repeatable, meaning, required } = info
  const label = info.unit == null ? info.name : `${info.name} (${info.unit})`
  const one = (value: string) => onValues(value === '' ? [] : [value])
  return (
    <Field label={label} meaning={meaning} hindered={hindered} required={required} error={error}>
      {(control) =>
        kind.type === 'choice' ? (
          <select
            {...control}
            className={cx['select']}
            disabled={disabled}
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
            disabled={disabled}
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
function useSuggestions(service: string, parameter: string, collections: readonly string[]): string[] {
  const isWord = parameter === 'BANDS' || parameter === 'TYPES' || parameter === 'TAGS'
  const { data: known } = useQuery({
    ...collectionsQuery,
    enabled: service === 'cutout' && (isWord || parameter === 'COLLECTION'),
  })
  const all = known?.items.map(({ name }) => name) ?? []
  const asked = collections.length === 0 ? all : all.filter((name) => collections.includes(name))
  const { data: words } = useQuery({ ...wordsQuery(asked), enabled: isWord && asked.length > 0 })
  if (isWord) return words?.[parameter] ?? []
  return parameter === 'COLLECTION' ? all : []
}
