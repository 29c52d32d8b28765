import { ActionIcon, Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { Menu } from '@/shared/ui/kit/menu'
import { holdJob, jobKeys, setPhase, type Job } from '@/shared/api/jobs'
import { canAbort, canHold, canRun, hasEnded } from '@/shared/api/phases'
import { hasManifest, manifestQuery } from '@/shared/api/results'
import { Icon } from '@/shared/ui/Icon'
import { complain } from '@/shared/ui/toasts'
import type { Asked } from './ActionDialogs'
import { entriesOf, noRetry } from '@/shared/job/manifest'
import { useRetry } from './Retry'

const Dialogs = lazy(() =>
  import('./ActionDialogs').then(({ ActionDialogs }) => ({ default: ActionDialogs })),
)

/** Offered where the server would do it; else it says why not. */
function RetryItem({ job, onRetry }: { job: Job; onRetry: () => void }) {
  const isListed = hasManifest(job)
  const { data: manifest } = useQuery({ ...manifestQuery(job), enabled: isListed })
  const whyNot =
    isListed && manifest === undefined
      ? 'what failed is being read'
      : noRetry(job, manifest && entriesOf(manifest))
  return (
    <Menu.Item leftSection={<Icon name="refresh" />} disabled={whyNot !== undefined} onClick={onRetry}>
      {whyNot === undefined ? 'Retry what failed' : `No retry: ${whyNot}`}
    </Menu.Item>
  )
}

/** What can be done with a job, as its phase allows. */
export function Actions({ job }: { job: Job }) {
  const client = useQueryClient()
  const [asked, setAsked] = useState<Asked>()
  const renew = () => void client.invalidateQueries({ queryKey: jobKeys.all })
  const run = useMutation({ mutationFn: () => setPhase(job, 'RUN'), onError: complain, onSettled: renew })
  const hold = useMutation({ mutationFn: () => holdJob(job.jobId), onError: complain, onSettled: renew })
  const retry = useRetry(job)
  const close = () => setAsked(undefined)
  return (
    <>
      {canRun(job.phase) && (
        <Button leftSection={<Icon name="play" />} loading={run.isPending} onClick={() => run.mutate()}>
          Run
        </Button>
      )}
      {canAbort(job.phase) && (
        <Button variant="default" leftSection={<Icon name="stop" />} onClick={() => setAsked('abort')}>
          Abort
        </Button>
      )}
      {hasEnded(job.phase) && (
        <Button
          variant="default"
          leftSection={<Icon name="copy" />}
          renderRoot={(props) => (
            <Link to="/cutout" search={{ service: job.service, from: job.jobId }} {...props} />
          )}
        >
          Use again
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon variant="default" size={36} aria-label="More">
            <Icon name="menu" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="edit" />} onClick={() => setAsked('label')}>
            Rename
          </Menu.Item>
          <Menu.Item leftSection={<Icon name="inbox" />} onClick={() => setAsked('extend')}>
            Keep until…
          </Menu.Item>
          {canHold(job.phase) && (
            <Menu.Item leftSection={<Icon name="pause" />} onClick={() => hold.mutate()}>
              Hold back
            </Menu.Item>
          )}
          {!hasEnded(job.phase) && (
            <Menu.Item
              leftSection={<Icon name="copy" />}
              renderRoot={(props) => (
                <Link to="/cutout" search={{ service: job.service, from: job.jobId }} {...props} />
              )}
            >
              Use again
            </Menu.Item>
          )}
          {hasEnded(job.phase) && job.service === 'cutout' && (
            <RetryItem job={job} onRetry={() => retry.mutate()} />
          )}
          {hasManifest(job) && (
            <Menu.Item
              leftSection={<Icon name="edit" />}
              renderRoot={(props) => (
                <Link
                  to="/cutout"
                  search={{ service: job.service, from: job.jobId, failed: true }}
                  {...props}
                />
              )}
            >
              Change what failed
            </Menu.Item>
          )}
          <Menu.Item
            leftSection={<Icon name="share" />}
            renderRoot={(props) => (
              <Link to="/jobs/$jobId" params={{ jobId: job.jobId }} search={{ tab: 'shares' }} {...props} />
            )}
          >
            Share
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            color="var(--bad-text)"
            leftSection={<Icon name="trash" />}
            onClick={() => setAsked('delete')}
          >
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>

      <Suspense>
        {asked !== undefined && <Dialogs job={job} asked={asked} onClose={close} onDone={renew} />}
      </Suspense>
    </>
  )
}
