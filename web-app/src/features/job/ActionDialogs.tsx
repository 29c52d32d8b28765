import { Button } from '@mantine/core'
import { useMutation } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { TextInput } from '@/shared/ui/kit/inputs'
import { Modal } from '@/shared/ui/kit/modal'
import { destroyJob, labelJob, setDestruction, setPhase, type Job } from '@/shared/api/jobs'
import { Confirm } from '@/shared/ui/Confirm'
import { Moment } from '@/shared/ui/Time'
import { complain, say } from '@/shared/ui/toasts'
import cx from './job.module.css'

export type Asked = 'abort' | 'delete' | 'label' | 'extend'

/** What is asked before a job is changed. */
export function ActionDialogs({ job, asked, onClose, onDone }: DialogProps & { asked: Asked }) {
  const navigate = useNavigate()
  switch (asked) {
    case 'label':
      return <LabelDialog job={job} onClose={onClose} onDone={onDone} />
    case 'extend':
      return <KeepDialog job={job} onClose={onClose} onDone={onDone} />
    case 'abort':
      return (
        <Confirm
          opened
          title="Abort this job?"
          verb="Abort"
          danger
          onConfirm={() => setPhase(job, 'ABORT').then(onDone)}
          onClose={onClose}
        >
          <p>It ends now. What it has made so far stays, and its request can be used again.</p>
        </Confirm>
      )
    case 'delete':
      return (
        <Confirm
          opened
          title="Delete this job?"
          verb="Delete"
          danger
          onConfirm={async () => {
            await destroyJob(job.jobId)
            say('The job was deleted.')
            onDone()
            await navigate({ to: '/jobs' })
          }}
          onClose={onClose}
        >
          <p>Its results and its log are gone for good. Its request cannot be read any more either.</p>
        </Confirm>
      )
  }
}

type DialogProps = { job: Job; onClose: () => void; onDone: () => void }

type ChangeProps = Omit<DialogProps, 'job'> & {
  title: string
  change: () => Promise<unknown>
  children: ReactNode
}

/** One field and a button that saves it; it stays open where that fails. */
function ChangeDialog({ title, change, onClose, onDone, children }: ChangeProps) {
  const save = useMutation({
    mutationFn: change,
    onSuccess: () => {
      onDone()
      onClose()
    },
    onError: complain,
  })
  return (
    <Modal opened onClose={onClose} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save.mutate()
        }}
      >
        {children}
        <div className={cx['dialogActions']}>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  )
}

function LabelDialog({ job, ...dialog }: DialogProps) {
  const [label, setLabel] = useState(job.runId ?? '')
  return (
    <ChangeDialog
      {...dialog}
      title="Rename"
      change={() => labelJob(job.jobId, label.trim() === '' ? null : label.trim())}
    >
      <TextInput
        label="Label"
        description="What you call it; also its RUNID"
        maxLength={64}
        value={label}
        onChange={({ currentTarget }) => setLabel(currentTarget.value)}
        data-autofocus
      />
    </ChangeDialog>
  )
}

function KeepDialog({ job, ...dialog }: DialogProps) {
  const [day, setDay] = useState(job.destruction?.slice(0, 10) ?? '')
  return (
    <ChangeDialog
      {...dialog}
      title="Keep until"
      change={async () => {
        await setDestruction(job, `${day}T00:00:00Z`)
        say('The server has taken the day, or the latest that it allows.')
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
    </ChangeDialog>
  )
}
