import { ActionIcon } from '@mantine/core'
import { useId, useRef, useState, type ReactNode } from 'react'
import { Icon, type IconName } from '@/shared/ui/Icon'
import cx from './shell.module.css'

/** A menu of the bar, by the browser's own popover: on every page, so it must cost little. */
export function BarMenu({ label, icon, children }: { label: string; icon: IconName; children: ReactNode }) {
  const id = useId()
  const menu = useRef<HTMLDivElement>(null)
  const [open, setOpen] = useState(false)
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])]
  return (
    <>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        popoverTarget={id}
      >
        <Icon name={icon} />
      </ActionIcon>
      <div
        ref={menu}
        id={id}
        popover="auto"
        role="menu"
        aria-label={label}
        className={cx['menu']}
        tabIndex={-1}
        onToggle={(event) => {
          const opens = event.newState === 'open'
          setOpen(opens)
          if (opens) items()[0]?.focus()
        }}
        onClick={() => menu.current?.hidePopover()}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
          if (step === undefined) return
          event.preventDefault()
          const all = items()
          const at = all.indexOf(document.activeElement as HTMLElement)
          all[(at + step + all.length) % all.length]?.focus()
        }}
      >
        {children}
      </div>
    </>
  )
}
