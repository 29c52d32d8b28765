import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useEffect, useRef, useState, type RefObject } from 'react'
import { jobCountsQuery, type JobFilter } from '@/shared/api/jobs'
import { isOperator, meQuery, servicesQuery } from '@/shared/api/me'
import { phaseNames, phases, type Phase } from '@/shared/api/phases'
import { count } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { PhaseGlyph } from '@/shared/ui/PhaseChip'
import { isFiltered, isReversed, narrowed, toggled, typed } from './filter'
import cx from './jobs.module.css'

/** Typing asks the server when it pauses for this long. */
const PAUSE = 250

/** Phases that are shown even where no job has them. */
const usual: readonly Phase[] = ['QUEUED', 'EXECUTING', 'COMPLETED', 'ERROR']

export function FilterBar({
  filter,
  searchRef,
}: {
  filter: JobFilter
  searchRef: RefObject<HTMLInputElement | null>
}) {
  const navigate = useNavigate({ from: '/jobs' })
  const { data: me } = useQuery(meQuery)
  const { data: services } = useQuery(servicesQuery)
  const others = { ...filter, phase: undefined }
  const { data: counts } = useQuery({ ...jobCountsQuery(others), placeholderData: (old) => old })

  const change = (part: Partial<JobFilter>, replace = false) =>
    void navigate({ search: (old) => ({ ...old, ...part }), replace })

  // Made anew by another address, the box goes on to have the focus that it had.
  const typing = useRef(false)
  const shown = phaseNames.filter((name) => usual.includes(name) || (counts?.phases[name] ?? 0) > 0)
  return (
    <div className={cx['filters']}>
      <SearchBox
        key={filter.q ?? ''}
        text={filter.q ?? ''}
        inputRef={searchRef}
        typingRef={typing}
        onText={(text, done) => {
          typing.current = document.activeElement === searchRef.current
          const { words, rest } = typed(text)
          const part: Partial<JobFilter> = { q: rest === '' ? undefined : rest }
          if (done) {
            change({ ...part, ...narrowed(filter, words) })
          } else if (words.length === 0) change(part, true)
        }}
      />
      <div className={cx['phases']} role="group" aria-label="Phases">
        {shown.map((name) => (
          <button
            key={name}
            type="button"
            className={cx['phase']}
            data-phase={name}
            aria-pressed={filter.phase?.includes(name) ?? false}
            onClick={() => change({ phase: toggled(filter.phase, name) })}
          >
            <PhaseGlyph phase={name} />
            {phases[name].word}
            <span className={cx['number']}>
              {counts === undefined ? '' : count(counts.phases[name] ?? 0)}
            </span>
          </button>
        ))}
      </div>
      <div className={cx['narrow']}>
        {(services?.services.length ?? 0) > 1 && (
          <label className={cx['field']}>
            Service
            <select
              value={filter.service?.[0] ?? ''}
              onChange={({ currentTarget: { value } }) =>
                change({ service: value === '' ? undefined : [value] })
              }
            >
              <option value="">all</option>
              {services?.services.map(({ name, title }) => (
                <option key={name} value={name}>
                  {title}
                </option>
              ))}
            </select>
          </label>
        )}
        <DateField label="From" value={filter.after} onValue={(after) => change({ after })} />
        <DateField label="To" value={filter.before} onValue={(before) => change({ before })} />
        {isReversed(filter) && (
          <span className={cx['reversed']} role="alert">
            <Icon name="warning" size={15} />
            From is later than To: no job was made then.
          </span>
        )}
        {me !== undefined && isOperator(me) && (
          <label className={cx['field']}>
            Whose
            <select
              value={filter.owner === undefined ? '' : filter.owner === '*' ? '*' : 'one'}
              onChange={({ currentTarget: { value } }) => change({ owner: value === '*' ? '*' : undefined })}
            >
              <option value="">mine</option>
              <option value="*">everyone’s</option>
              {filter.owner !== undefined && filter.owner !== '*' && (
                <option value="one">{filter.owner}’s</option>
              )}
            </select>
          </label>
        )}
        {isFiltered(filter) && (
          <button type="button" className={cx['clear']} onClick={() => void navigate({ search: {} })}>
            <Icon name="close" size={15} />
            Clear
          </button>
        )}
      </div>
    </div>
  )
}

type SearchBoxProps = {
  text: string
  inputRef: RefObject<HTMLInputElement | null>
  /** Whether somebody was typing into the one before. */
  typingRef: RefObject<boolean>
  onText: (text: string, done: boolean) => void
}

function SearchBox({ text, inputRef, typingRef, onText }: SearchBoxProps) {
  const [value, setValue] = useState(text)
  const [timer, setTimer] = useState<ReturnType<typeof setTimeout>>()
  useEffect(() => () => clearTimeout(timer), [timer])
  useEffect(() => {
    if (typingRef.current) inputRef.current?.focus()
    typingRef.current = false
  }, [typingRef, inputRef])
  return (
    <form
      className={cx['search']}
      role="search"
      onSubmit={(event) => {
        event.preventDefault()
        clearTimeout(timer)
        onText(value, true)
      }}
    >
      <Icon name="search" />
      <input
        ref={inputRef}
        type="search"
        value={value}
        aria-label="Search by label or number"
        placeholder="Label or number, or phase:error after:2026-11-01"
        onChange={({ currentTarget }) => {
          setValue(currentTarget.value)
          clearTimeout(timer)
          setTimer(setTimeout(() => onText(currentTarget.value, false), PAUSE))
        }}
      />
    </form>
  )
}

type DateFieldProps = {
  label: string
  value: string | undefined
  onValue: (value: string | undefined) => void
}

function DateField({ label, value, onValue }: DateFieldProps) {
  return (
    <label className={cx['field']}>
      {label}
      <input
        type="date"
        value={value?.slice(0, 10) ?? ''}
        onChange={({ currentTarget }) =>
          onValue(currentTarget.value === '' ? undefined : currentTarget.value)
        }
      />
    </label>
  )
}
