import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { Job } from '@/shared/api/jobs'
import { meQuery, servicesQuery } from '@/shared/api/me'
import { parseList } from '@/shared/astro/positions'
import { basePath } from '@/shared/config'
import { plural } from '@/shared/lib/format'
import { Snippets } from '@/shared/ui/Snippets'
import { Card } from '@/shared/ui/Page'
import cx from './job.module.css'

/** What was asked for: each parameter, also those that were left to their defaults, and the same as code. */
export function Request({ job }: { job: Job }) {
  const { data: services } = useQuery(servicesQuery)
  const { data: me } = useQuery(meQuery)
  const described = services?.services.find(({ name }) => name === job.service)?.parameters ?? []
  const given = new Set(job.parameters.map(({ id }) => id))
  const meaning = (name: string) => described.find((one) => one.name === name)?.meaning
  const defaults = described.filter((one) => !given.has(one.name) && one.default != null)
  return (
    <>
      <Card title="Parameters">
        <table className={cx['parameters']}>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Value</th>
              <th scope="col">From</th>
            </tr>
          </thead>
          <tbody>
            {job.parameters.map(({ id, value, byReference }, index) => (
              <tr key={`${id} ${index}`}>
                <th scope="row" title={meaning(id)}>
                  {id}
                </th>
                <td>
                  {byReference ? (
                    <a
                      href={`${basePath}/api/${job.service}/async/${job.jobId}/parameters/${encodeURIComponent(id)}`}
                    >
                      a file
                    </a>
                  ) : (
                    <Value text={value} />
                  )}
                </td>
                <td>{id === 'POSITIONS' && !byReference ? <ListOrigin text={value} /> : 'the request'}</td>
              </tr>
            ))}
            {defaults.map(({ name, default: value }) => (
              <tr key={name} className={cx['dim']}>
                <th scope="row" title={meaning(name)}>
                  {name}
                </th>
                <td>{value}</td>
                <td>default</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Card>
      <Card title="The same as code">
        <Snippets
          withToken={me !== undefined && me.by !== 'local'}
          request={{
            service: job.service,
            runId: job.runId ?? undefined,
            run: true,
            parameters: job.parameters.map(({ id, value, byReference }) => ({
              name: id,
              value,
              file: byReference || value.includes('\n'),
            })),
          }}
        />
      </Card>
      <Card title="For machines">
        <ul className={cx['plain']}>
          <li>
            <a href={`${basePath}/api/${job.service}/async/${job.jobId}`}>The job’s UWS document</a> (XML;
            JSON by <code>Accept: application/json</code>)
          </li>
          <li>
            <a href={`${basePath}/api/v1/jobs/${job.jobId}`}>The job as JSON</a>
          </li>
        </ul>
      </Card>
    </>
  )
}

/** What rows of a list say for themselves, before what is asked for all. */
function ListOrigin({ text }: { text: string }) {
  const own = useMemo(() => {
    const { rows } = parseList(text)
    return (['XSIZE', 'YSIZE', 'BANDS'] as const)
      .map((column) => [column, rows.filter(({ cells }) => cells[column] !== undefined).length] as const)
      .filter(([, number]) => number > 0)
      .map(([column, number]) => `${column} of ${plural(number, 'row')}`)
  }, [text])
  return own.length === 0 ? 'the request' : `the request; ${own.join(', ')} by themselves`
}

const LONG = 400

function Value({ text }: { text: string }) {
  if (text.length <= LONG && !text.includes('\n')) return <code>{text}</code>
  return (
    <details>
      <summary>{text.trimEnd().split('\n').length} lines</summary>
      <pre className={cx['value']}>{text.length > 20_000 ? `${text.slice(0, 20_000)}\n…` : text}</pre>
    </details>
  )
}
