import { useEffect, type ReactNode } from 'react'
import cx from './page.module.css'

type PageProps = {
  title: string
  /** Of the browser's tab, if it says more. */
  tabTitle?: string
  lead?: ReactNode
  actions?: ReactNode
  wide?: boolean
  children: ReactNode
}

/** A page: its heading, which has the focus after navigation, what can be done with all of it, and its content. */
export function Page({ title, tabTitle, lead, actions, wide = false, children }: PageProps) {
  useTitle(tabTitle ?? title)
  return (
    <div className={cx['page']} data-wide={wide || undefined}>
      <header className={cx['head']}>
        <div className={cx['words']}>
          <h1 className={cx['title']} tabIndex={-1} id="page-title">
            {title}
          </h1>
          {lead !== undefined && <div className={cx['lead']}>{lead}</div>}
        </div>
        {actions !== undefined && <div className={cx['actions']}>{actions}</div>}
      </header>
      {children}
    </div>
  )
}

/** The title of the browser's tab. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = `${title} · Sidereal`
  }, [title])
}

type CardProps = { title?: string; aside?: ReactNode; flush?: boolean; children: ReactNode }

/** A part of a page. `flush`: its content goes to the edges. */
export function Card({ title, aside, flush = false, children }: CardProps) {
  return (
    <section className={cx['card']} data-flush={flush || undefined}>
      {title !== undefined && (
        <header className={cx['cardHead']}>
          <h2 className={cx['cardTitle']}>{title}</h2>
          {aside}
        </header>
      )}
      {children}
    </section>
  )
}

/** Names and values. */
export function Facts({ items }: { items: readonly (readonly [string, ReactNode])[] }) {
  return (
    <dl className={cx['facts']}>
      {items.map(([name, value]) => (
        <div key={name} className={cx['fact']}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
