import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Card } from '@/shared/ui/Page'
import { parametersQuery, sharedParameterUrl, type SharedJob } from './api'
import { askedFor, type Asked } from './words'
import cx from './share.module.css'

type RequestProps = { secret: string; job: SharedJob }

/** What was asked for, in words. */
export function Request({ secret, job }: RequestProps) {
  const { data: described } = useQuery(parametersQuery(job.service))
  const asked = useMemo(() => askedFor(job.parameters), [job.parameters])
  return (
    <Card title="What was asked for">
      {asked.length === 0 ? (
        <p className={cx['dim']}>Nothing in particular.</p>
      ) : (
        <dl className={cx['asked']}>
          {asked.map((one) => {
            // What has a title of words needs no more of them.
            const meaning =
              one.title === one.name ? described?.find(({ name }) => name === one.name)?.meaning : undefined
            return (
              <div key={one.name}>
                <dt>{one.title}</dt>
                <dd>
                  <Value asked={one} href={sharedParameterUrl(secret, job.jobId, one.name)} />
                  {meaning !== undefined && <p className={cx['meaning']}>{meaning}</p>}
                </dd>
              </div>
            )
          })}
        </dl>
      )}
    </Card>
  )
}

/** A longer text is shown no further: who wants all of it has the file. */
const LONGEST = 20_000

function Value({ asked: { name, value, long, isFile }, href }: { asked: Asked; href: string }) {
  if (isFile === true) {
    return (
      <a href={href} download={name}>
        {value}
      </a>
    )
  }
  if (long === undefined) return <span className={cx['value']}>{value}</span>
  return (
    <details>
      <summary>{value}</summary>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className={cx['long']} tabIndex={0} role="region" aria-label={name}>
        {long.length > LONGEST ? `${long.slice(0, LONGEST)}\n…` : long}
      </pre>
    </details>
  )
}
