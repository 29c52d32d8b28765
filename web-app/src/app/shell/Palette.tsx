import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useDeferredValue, useId, useState } from 'react'
import { Modal } from '@/shared/ui/kit/modal'
import { fewJobsQuery, jobName } from '@/shared/api/jobs'
import { isOperator, meQuery, servicesQuery } from '@/shared/api/me'
import { standingLine } from '@/shared/api/phases'
import { theme, themes } from '@/shared/lib/preferences'
import { Icon, type IconName } from '@/shared/ui/Icon'
import { PhaseGlyph } from '@/shared/ui/PhaseChip'
import cx from './shell.module.css'

type Option = {
  id: string
  label: string
  hint: string
  icon: IconName | React.ReactElement
  run: () => void
}

export function Palette({ onClose }: { onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} withCloseButton={false} size="lg" yOffset="12vh" aria-label="Go to">
      <Search onClose={onClose} />
    </Modal>
  )
}

function Search({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const options = useOptions(text.trim())
  const list = useId()
  const chosen = Math.min(at, options.length - 1)
  const run = (option: Option | undefined) => {
    if (option === undefined) return
    onClose()
    option.run()
  }
  const step = (by: number) => setAt((chosen + by + options.length) % Math.max(1, options.length))
  return (
    <div className={cx['palette']}>
      <input
        className={cx['paletteInput']}
        value={text}
        placeholder="A page, a job's label or number"
        role="combobox"
        aria-label="Go to"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={options[chosen] && `${list}-${options[chosen].id}`}
        autoComplete="off"
        data-autofocus
        onChange={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') step(1)
          else if (event.key === 'ArrowUp') step(-1)
          else if (event.key === 'Enter') run(options[chosen])
          else return
          event.preventDefault()
        }}
      />
      <div className={cx['options']} id={list} role="listbox" aria-label="Places and jobs">
        {options.map((option, index) => (
          // The keyboard reaches options through the field, as of a combobox.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events
          <div
            key={option.id}
            id={`${list}-${option.id}`}
            className={cx['option']}
            role="option"
            aria-selected={index === chosen}
            tabIndex={-1}
            onMouseMove={() => setAt(index)}
            onClick={() => run(option)}
          >
            {typeof option.icon === 'string' ? <Icon name={option.icon} /> : option.icon}
            {option.label}
            <span className={cx['hint']}>{option.hint}</span>
          </div>
        ))}
      </div>
      {options.length === 0 && <p role="status">Nothing is called so.</p>}
    </div>
  )
}

function useOptions(text: string): Option[] {
  const navigate = useNavigate()
  const { data: me } = useQuery(meQuery)
  const { data: served } = useQuery(servicesQuery)
  const q = useDeferredValue(text)
  const { data: jobs } = useQuery({
    ...fewJobsQuery(q === '' ? {} : { q }, 6),
    placeholderData: (old) => old,
  })
  const pages: Option[] = [
    { id: 'home', label: 'Home', hint: 'g h', icon: 'home', run: () => void navigate({ to: '/' }) },
    { id: 'jobs', label: 'Jobs', hint: 'g j', icon: 'jobs', run: () => void navigate({ to: '/jobs' }) },
    { id: 'new', label: 'New job', hint: 'g n', icon: 'plus', run: () => void navigate({ to: '/cutout' }) },
    {
      id: 'profile',
      label: 'Profile and tokens',
      hint: 'g p',
      icon: 'user',
      run: () => void navigate({ to: '/profile' }),
    },
    { id: 'help', label: 'Help', hint: '', icon: 'help', run: () => void navigate({ to: '/help' }) },
    ...themes.map((name): Option => {
      const icon = name === 'light' ? 'sun' : name === 'night' ? 'eye' : name === 'dark' ? 'moon' : 'system'
      return { id: `theme-${name}`, label: `Theme: ${name}`, hint: '', icon, run: () => theme.set(name) }
    }),
  ]
  if (served?.services.some(({ name }) => name === 'dashboard') === true) {
    pages.push({
      id: 'docs',
      label: 'Documentation dashboards',
      hint: '',
      icon: 'book',
      run: () => void navigate({ to: '/dashboards/docs' }),
    })
  }
  if (me !== undefined && isOperator(me)) {
    pages.push({
      id: 'admin',
      label: 'Operations',
      hint: '',
      icon: 'admin',
      run: () => void navigate({ to: '/admin' }),
    })
  }
  const low = text.toLowerCase()
  const places = pages.filter(({ label, id }) =>
    low === '' ? !id.startsWith('theme-') : label.toLowerCase().includes(low),
  )
  const found = (jobs?.items ?? []).map((job): Option => ({
    id: job.id,
    label: jobName(job),
    hint: standingLine(job.phase, job.progressFailed),
    icon: <PhaseGlyph phase={job.phase} failed={job.progressFailed} />,
    run: () => void navigate({ to: '/jobs/$jobId', params: { jobId: job.id } }),
  }))
  return [...places, ...found]
}
