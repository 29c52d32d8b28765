import { ActionIcon, Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { TextInput } from '@/shared/ui/kit/inputs'
import { Menu } from '@/shared/ui/kit/menu'
import { Modal } from '@/shared/ui/kit/modal'
import { destroyJob, holdJob, jobKeys, labelJob, setDestruction, setPhase, type Job } from '@/shared/api/jobs'
import { canAbort, canHold, canRun, hasEnded } from '@/shared/api/phases'
import { hasManifest } from '@/shared/api/results'
import { Confirm } from '@/shared/ui/Confirm'
import { Icon } from '@/shared/ui/Icon'
import { Moment } from '@/shared/ui/Time'
import { complain, say } from '@/shared/ui/toasts'
import cx from './job.module.css'

type Asked = 'abort' | 'delete' | 'label' | 'extend'

/** What can be done with a job, as its phase allows. */
export function Actions({ job }: { job: Job }) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const [asked, setAsked] = useState<Asked>()
  const renew = () => void client.invalidateQueries({ queryKey: jobKeys.all })
  const run = useMutation({ mutationFn: () => setPhase(job, 'RUN'), onError: complain, onSettled: renew })
  const hold = useMutation({ mutationFn: () => holdJob(job.jobId), onError: complain, onSettled: renew })
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
          {hasManifest(job) && (
            <Menu.Item
              leftSection={<Icon name="refresh" />}
              renderRoot={(props) => (
                <Link
                  to="/cutout"
                  search={{ service: job.service, from: job.jobId, failed: true }}
                  {...props}
                />
              )}
            >
              Ask again for what failed
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
          <Menu.Item color="red" leftSection={<Icon name="trash" />} onClick={() => setAsked('delete')}>
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>

      <Confirm
        opened={asked === 'abort'}
        title="Abort this job?"
        verb="Abort"
        danger
        onConfirm={() => setPhase(job, 'ABORT').then(renew)}
        onClose={close}
      >
        <p>It ends now. Its description stays, and it can be used again.</p>
      </Confirm>
      <Confirm
        opened={asked === 'delete'}
        title="Delete this job?"
        verb="Delete"
        danger
        onConfirm={async () => {
          await destroyJob(job.jobId)
          say('The job was deleted.')
          renew()
          await navigate({ to: '/jobs' })
        }}
        onClose={close}
      >
        <p>
          {job.results.length > 0
            ? `Its ${job.results.length} results and its log are gone for good.`
            : 'Its description and its log are gone for good.'}
        </p>
      </Confirm>
      <LabelDialog
        key={`label ${job.runId ?? ''}`}
        job={job}
        opened={asked === 'label'}
        onClose={close}
        onDone={renew}
      />
      <KeepDialog
        key={job.destruction ?? ''}
        job={job}
        opened={asked === 'extend'}
        onClose={close}
        onDone={renew}
      />
    </>
  )
}

type DialogProps = { job: Job; opened: boolean; onClose: () => void; onDone: () => void }

function LabelDialog({ job, opened, onClose, onDone }: DialogProps) {
  const [label, setLabel] = useState(job.runId ?? '')
  const save = useMutation({
    mutationFn: () => labelJob(job.jobId, label.trim() === '' ? null : label.trim()),
    onSuccess: () => {
      onDone()
      onClose()
    },
    onError: complain,
  })
  return (
    <Modal opened={opened} onClose={onClose} title="Rename">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate()
        }}
      >
        <TextInput
          label="Label"
          description="What you call it; also its RUNID"
          maxLength={64}
          value={label}
          onChange={({ currentTarget }) => setLabel(currentTarget.value)}
          data-autofocus
        />
        <div className={cx['dialogActions']}>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  )
}

function KeepDialog({ job, opened, onClose, onDone }: DialogProps) {
  const [day, setDay] = useState(job.destruction?.slice(0, 10) ?? '')
  const save = useMutation({
    mutationFn: () => setDestruction(job, `${day}T00:00:00Z`),
    onSuccess: () => {
      onDone()
      onClose()
      say('The server has taken the day, or the latest that it allows.')
    },
    onError: complain,
  })
  return (
    <Modal opened={opened} onClose={onClose} title="Keep until">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate()
        }}
      >
        <TextInput
          type="date"
          label="Day (UTC)"
          description={
            job.destruction == null ? (
              'It is kept for good now.'
            ) : (
              <>
                It is kept until <Moment at={job.destruction} /> now.
              </>
            )
          }
          value={day}
          required
          onChange={({ currentTarget }) => setDay(currentTarget.value)}
        />
        <div className={cx['dialogActions']}>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  )
}
