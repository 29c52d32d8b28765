import { plural } from '@/shared/lib/format'
import { Confirm } from '@/shared/ui/Confirm'
import { Modal } from '@/shared/ui/kit/modal'
import { verbs, type Action, type Report } from './bulk'
import cx from './jobs.module.css'

type BulkDialogsProps = {
  asked: Action | undefined
  number: number
  all: boolean
  report: Report | undefined
  onConfirm: (action: Action) => Promise<void>
  /** The question is answered. */
  onClose: () => void
  /** The report is put away. */
  onRead: () => void
}

/** Asks before many jobs are changed, and tells afterwards which were not. */
export function BulkDialogs({ asked, number, all, report, onConfirm, onClose, onRead }: BulkDialogsProps) {
  if (report !== undefined) {
    const failed = report.items.filter(({ error }) => error != null)
    return (
      <Modal opened onClose={onRead} title="Not all was done" size="lg">
        <p>
          {plural(report.done, 'job')} {verbs[report.action].done}; {plural(report.failed, 'job')} not:
        </p>
        <ul className={cx['failures']}>
          {failed.map(({ id, error }) => (
            <li key={id}>
              <code>{id}</code> {error}
            </li>
          ))}
        </ul>
      </Modal>
    )
  }
  if (asked === undefined) return null
  const { verb, lost } = verbs[asked]
  return (
    <Confirm
      opened
      title={`${verb} ${plural(number, 'job')}?`}
      verb={verb}
      danger
      onConfirm={() => onConfirm(asked)}
      onClose={onClose}
    >
      <p>{lost}</p>
      {all && <p>These are all that match the filter now, also those further down.</p>}
    </Confirm>
  )
}
