import { Button } from '@mantine/core'
import { useState } from 'react'
import { Icon } from './Icon'
import cx from './copy.module.css'

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

type CopyButtonProps = { text: string; label?: string; size?: string; variant?: string }

export function CopyButton({
  text,
  label = 'Copy',
  size = 'compact-sm',
  variant = 'default',
}: CopyButtonProps) {
  const [said, setSaid] = useState<string>()
  return (
    <Button
      size={size}
      variant={variant}
      leftSection={<Icon name={said === 'Copied' ? 'check' : 'copy'} size={15} />}
      onClick={() => {
        void copy(text).then((done) => {
          setSaid(done ? 'Copied' : 'Select it and copy')
          setTimeout(() => setSaid(undefined), 2_000)
        })
      }}
    >
      <span aria-live="polite">{said ?? label}</span>
    </Button>
  )
}

/** Text for somewhere else: code, addresses. */
export function CopyBlock({ text, label }: { text: string; label: string }) {
  return (
    <div className={cx['block']}>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className={cx['code']} tabIndex={0} role="region" aria-label={label}>
        {text}
      </pre>
      <div className={cx['button']}>
        <CopyButton text={text} />
      </div>
    </div>
  )
}
