import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { bulk, jobCountsQuery, type JobFilter } from '@/shared/api/jobs'
import { plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import { say } from '@/shared/ui/toasts'
import { verbs, type Action, type Report } from './bulk'
import type { Selection } from './useSelection'
import cx from './jobs.module.css'

const BulkDialogs = lazy(() =>
  import('./BulkDialogs').then(({ BulkDialogs: component }) => ({ default: component })),
)

type BulkBarProps = { filter: JobFilter; selection: Selection; complete: boolean; onDone: () => void }

/** What can be done with the chosen jobs, or with all that match the filter, also those that are not shown. */
export function BulkBar({ filter, selection: { chosen, clear }, complete, onDone }: BulkBarProps) {
  const [everything, setEverything] = useState(false)
  const [asked, setAsked] = useState<Action>()
  const [report, setReport] = useState<Report>()
  // An owner is no part of a bulk's filter: it is of the caller's own jobs.
  const { owner, ...own } = filter
  const canAll = !complete && owner === undefined
  const { data: counts } = useQuery({ ...jobCountsQuery(own), enabled: canAll && chosen.size > 0 })

  const all = everything && canAll && counts !== undefined
  const number = all ? counts.total : chosen.size
  const [a, b] = chosen
  const run = async (action: Action) => {
    const answer = await bulk(
      all
        ? { action, filter: { ...own, service: own.service ?? [], phase: own.phase ?? [] } }
        : { action, ids: [...chosen] },
    )
    clear()
    setEverything(false)
    onDone()
    if (answer.failed === 0) say(`${plural(answer.done, 'job')} ${verbs[action].done}.`)
    else setReport({ ...answer, action })
  }
  return (
    <>
      {chosen.size > 0 && (
        <div className={cx['bulk']} role="region" aria-label="Chosen jobs">
          <strong>{plural(number, 'job')} chosen</strong>
          {canAll && counts !== undefined && counts.total > chosen.size && (
            <Button variant="subtle" size="compact-sm" onClick={() => setEverything(!all)}>
              {all ? `Only the ${chosen.size} shown` : `All ${plural(counts.total, 'job')} that match`}
            </Button>
          )}
          <span className={cx['bulkActions']}>
            {chosen.size === 2 && !all && (
              <Button
                variant="default"
                size="compact-sm"
                leftSection={<Icon name="compare" size={16} />}
                renderRoot={(props) => <Link to="/jobs/compare" search={{ a, b }} {...props} />}
              >
                Compare
              </Button>
            )}
            <Button
              variant="default"
              size="compact-sm"
              leftSection={<Icon name="stop" size={16} />}
              onClick={() => setAsked('abort')}
            >
              Abort
            </Button>
            <Button
              variant="default"
              size="compact-sm"
              leftSection={<Icon name="trash" size={16} />}
              onClick={() => setAsked('delete')}
            >
              Delete
            </Button>
            <Button variant="subtle" size="compact-sm" onClick={clear}>
              Clear
            </Button>
          </span>
        </div>
      )}
      <Suspense>
        {(asked ?? report) !== undefined && (
          <BulkDialogs
            asked={asked}
            number={number}
            all={all}
            report={report}
            onConfirm={run}
            onClose={() => setAsked(undefined)}
            onRead={() => setReport(undefined)}
          />
        )}
      </Suspense>
    </>
  )
}
