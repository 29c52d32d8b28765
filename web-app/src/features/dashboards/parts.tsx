import type { ReactNode } from 'react'
import { Icon, type IconName } from '@/shared/ui/Icon'
import type { Dashboard } from './api'
import { profileUrl, type GitRef } from './documents'
import cx from './dashboards.module.css'

type Tone = 'plain' | 'warn'

export function Badge({ tone = 'plain', icon, title, children }: BadgeProps) {
  return (
    <span className={cx['badge']} data-tone={tone} title={title}>
      {icon !== undefined && <Icon name={icon} size={14} />}
      {children}
    </span>
  )
}
type BadgeProps = { tone?: Tone; icon?: IconName; title?: string; children: string }

/** A name of somebody else's, which leads to their page if there is one. Its direction is its own. */
export function Outside({ to, children }: { to: string | undefined; children: string }) {
  if (to === undefined) return <bdi>{children}</bdi>
  return (
    <a href={to} rel="noreferrer">
      <bdi>{children}</bdi>
    </a>
  )
}

export function Refs({ refs }: { refs: readonly GitRef[] }) {
  return (
    <span className={cx['refs']}>
      {refs.map(({ name, source }) => (
        <code key={name}>
          <Outside to={source}>{name}</Outside>
        </code>
      ))}
    </span>
  )
}

export function Author({ name }: { name: string | null | undefined }) {
  return name == null ? null : <Outside to={profileUrl(name)}>{name}</Outside>
}

/** What is not as it should be, and what it means. */
export const flags = [
  {
    name: 'missing',
    word: 'gone from LTD Keeper',
    meaning: 'LTD Keeper does not know this product any more. What was published stays.',
  },
  {
    name: 'held',
    word: 'held back',
    meaning:
      'LTD Keeper suddenly tells of far less than before. The pages stay as they were until an operator has them made all the same.',
  },
  {
    name: 'purgeOwed',
    word: 'caches not told',
    meaning: 'The pages are new, but caches before them may still give the old ones. It is tried again.',
  },
] as const

export function Flags({ dashboard }: { dashboard: Dashboard }): ReactNode {
  return flags
    .filter(({ name }) => dashboard[name])
    .map(({ name, word, meaning }) => (
      <Badge key={name} tone="warn" icon="warning" title={meaning}>
        {word}
      </Badge>
    ))
}
