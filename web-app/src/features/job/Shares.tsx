import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, content } from '@/shared/api/client'
import { jobKeys, type Job } from '@/shared/api/jobs'
import { plural } from '@/shared/lib/format'
import { CopyBlock } from '@/shared/ui/CopyBlock'
import { Card } from '@/shared/ui/Page'
import { Loaded } from '@/shared/ui/States'
import { Ago, Moment } from '@/shared/ui/Time'
import { complain, say } from '@/shared/ui/toasts'
import cx from './job.module.css'

const spans = [1, 7, 30, 365]

export function Shares({ job }: { job: Job }) {
  const client = useQueryClient()
  const path = { id: job.jobId }
  const query = useQuery({
    queryKey: jobKeys.shares(job.jobId),
    queryFn: ({ signal }) => content(api.GET('/api/v1/jobs/{id}/shares', { params: { path }, signal })),
  })
  const [days, setDays] = useState(7)
  const renew = () => void client.invalidateQueries({ queryKey: jobKeys.shares(job.jobId) })
  const make = useMutation({
    mutationFn: () => {
      const expires = new Date(Date.now() + days * 86_400_000).toISOString()
      return content(api.POST('/api/v1/jobs/{id}/shares', { params: { path }, body: { expires } }))
    },
    onSuccess: renew,
    onError: complain,
  })
  const revoke = useMutation({
    mutationFn: (share: string) =>
      api.DELETE('/api/v1/jobs/{id}/shares/{share}', { params: { path: { ...path, share } } }),
    onSuccess: () => {
      say('The link leads nowhere now.')
      renew()
    },
    onError: complain,
  })
  return (
    <>
      <Card title="Share by a link">
        <p>
          Whoever has the link can look at this job without signing in, until the link ends. In a browser it
          opens a page with the label, your name, how the job goes, what it was asked for, what has failed,
          its pictures and its files to download. Programs get the UWS document at the same address.
        </p>
        <p>Nobody can change anything by it, or see your other jobs or the log of this one.</p>
        <div className={cx['row']}>
          <label className={cx['inline']}>
            It ends in{' '}
            <select value={days} onChange={({ currentTarget }) => setDays(Number(currentTarget.value))}>
              {spans.map((span) => (
                <option key={span} value={span}>
                  {plural(span, 'day')}
                </option>
              ))}
            </select>
          </label>
          <Button loading={make.isPending} onClick={() => make.mutate()}>
            Make a link
          </Button>
        </div>
        {make.data && (
          <div className={cx['made']}>
            <p>
              <strong>Copy it now: it is not shown again.</strong>
            </p>
            <CopyBlock label="The link" text={make.data.url} />
            <p>
              <a href={make.data.url} target="_blank" rel="noreferrer">
                Look at it as others see it
              </a>
            </p>
          </div>
        )}
      </Card>
      <Card title="Links">
        <Loaded query={query} what="Reading the links">
          {({ items }) =>
            items.length === 0 ? (
              <p className={cx['dim']}>There are none.</p>
            ) : (
              <ul className={cx['shares']}>
                {items.map(({ id, created, expires }) => (
                  <li key={id}>
                    <span>
                      Made <Moment at={created} />, ends <Ago at={expires} />
                    </span>
                    <Button variant="default" size="compact-sm" onClick={() => revoke.mutate(id)}>
                      Revoke
                    </Button>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      </Card>
    </>
  )
}
