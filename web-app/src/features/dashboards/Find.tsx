import { useEffect, useRef } from 'react'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { Icon } from '@/shared/ui/Icon'
import cx from './dashboards.module.css'

type FindProps = { label: string; text: string | undefined; onText: (text: string | undefined) => void }

/** Words to look for. While somebody types the box is theirs; else it says what the address says. */
export function Find({ label, text = '', onText }: FindProps) {
  const input = useRef<HTMLInputElement>(null)
  useHotkeys({ '/': () => input.current?.focus() })
  useEffect(() => {
    if (input.current !== null && input.current !== document.activeElement) input.current.value = text
  }, [text])
  return (
    <div className={cx['find']} role="search">
      <Icon name="search" />
      <input
        ref={input}
        type="search"
        aria-label={label}
        placeholder={label}
        defaultValue={text}
        autoComplete="off"
        onChange={({ currentTarget: { value } }) => onText(value.trim() === '' ? undefined : value)}
      />
    </div>
  )
}
