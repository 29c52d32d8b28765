import { Button, Loader } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { ApiError, explain } from '@/shared/api/problem'
import { Icon, type IconName } from './Icon'
import { Moment } from './Time'
import cx from './states.module.css'

type NoticeProps = {
  icon: IconName
  title: string
  children?: ReactNode
  actions?: ReactNode
  alert?: boolean
}

/** What stands where content would: nothing there yet, or why there is none. */
export function Notice({ icon, title, children, actions, alert = false }: NoticeProps) {
  return (
    <div className={cx['notice']} role={alert ? 'alert' : undefined}>
      <span className={cx['badge']}>
        <Icon name={icon} size={26} />
      </span>
      <h2 className={cx['title']}>{title}</h2>
      {children !== undefined && <div className={cx['body']}>{children}</div>}
      {actions !== undefined && <div className={cx['actions']}>{actions}</div>}
    </div>
  )
}

const icons: Record<number, IconName> = {
  0: 'offline',
  401: 'lock',
  403: 'lock',
  404: 'search',
  410: 'trash',
}

/** An error in the place of what could not be shown. */
export function ErrorPanel({
  error,
  retry,
  actions,
}: {
  error: unknown
  retry?: () => void
  actions?: ReactNode
}) {
  const { title, advice } = explain(error)
  const known = error instanceof ApiError ? error : undefined
  return (
    <Notice
      alert
      icon={(known && icons[known.status]) ?? 'warning'}
      title={title}
      actions={
        <>
          {retry && (
            <Button variant="default" onClick={retry} leftSection={<Icon name="refresh" />}>
              Try again
            </Button>
          )}
          {actions}
        </>
      }
    >
      {known?.destroyed === undefined && known && <p className={cx['detail']}>{known.detail}</p>}
      {known?.destroyed !== undefined && (
        <p>
          Destroyed <Moment at={known.destroyed} />.
        </p>
      )}
      <p>{advice}</p>
      {known?.requestId !== undefined && (
        <p className={cx['request']}>
          Request <code>{known.requestId}</code>
        </p>
      )}
    </Notice>
  )
}

/** For what takes longer than a moment: it appears only then. */
export function Loading({ what }: { what: string }) {
  return (
    <div className={cx['loading']} role="status">
      <Loader size="sm" />
      <span>{what}</span>
    </div>
  )
}

type LoadedProps<T> = {
  query: Pick<UseQueryResult<T>, 'data' | 'error' | 'isPending' | 'dataUpdatedAt' | 'refetch'>
  what: string
  children: (data: T) => ReactNode
}

/** Content that a query brings: loading, error, or the content, with a word when it could not be renewed. */
export function Loaded<T>({ query, what, children }: LoadedProps<T>) {
  const { data, error, dataUpdatedAt, refetch } = query
  if (data === undefined) {
    return error === null ? (
      <Loading what={what} />
    ) : (
      <ErrorPanel error={error} retry={() => void refetch()} />
    )
  }
  return (
    <>
      {error !== null && <Stale since={dataUpdatedAt} error={error} retry={() => void refetch()} />}
      {children(data)}
    </>
  )
}

export function Stale({ since, error, retry }: { since: number; error: unknown; retry: () => void }) {
  return (
    <div className={cx['stale']} role="status">
      <Icon name="warning" />
      <span>
        This is as it was at <Moment at={new Date(since).toISOString()} />. {explain(error).title}.
      </span>
      <Button variant="subtle" size="compact-sm" onClick={retry}>
        Try again
      </Button>
    </div>
  )
}
