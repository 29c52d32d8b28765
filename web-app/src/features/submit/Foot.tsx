import { Button } from '@mantine/core'
import { sentence } from '@/shared/api/problem'
import { bytes, count, plural } from '@/shared/lib/format'
import { Icon } from '@/shared/ui/Icon'
import type { Checked } from './check'
import cx from './submit.module.css'

type FootProps = {
  error: Error | null
  /** What must be done before it can be sent; nothing if it can be. */
  hint: string | undefined
  checked: Checked | undefined
  run: boolean
  busy: boolean
  onClear: () => void
}

/** Always in view: what will come of the form, and the button. */
export function Foot({ error, hint, checked, run, busy, onClear }: FootProps) {
  return (
    <div className={cx['foot']}>
      <div className={cx['say']}>
        {error !== null ? (
          <div id="submit-error" role="alert" className={cx['error']}>
            <Icon name="warning" />
            <span>{sentence(error)}</span>
          </div>
        ) : (
          <span>{hint ?? (checked === undefined ? 'Ready.' : <Sum checked={checked} />)}</span>
        )}
      </div>
      <Button variant="default" onClick={onClear}>
        Clear
      </Button>
      <Button type="submit" loading={busy} disabled={hint !== undefined} leftSection={<Icon name="play" />}>
        {run ? 'Submit' : 'Make and hold'}
      </Button>
    </div>
  )
}

function Sum({ checked: { positions, files, bytes: size, exact, quota, accepted } }: { checked: Checked }) {
  const about = exact ? '' : 'about '
  const room = quota.storedBytes == null ? undefined : quota.storedBytes - size
  return (
    <>
      {plural(positions, 'position')}, {about}
      <strong>{plural(files, 'file')}</strong>, {about}
      {bytes(size)}
      {room !== undefined &&
        (room < 0 ? '; your quota has not the room for it' : `; ${bytes(room)} left then`)}
      {quota.queued != null && `; ${count(quota.queued)} more jobs may be queued`}
      {!accepted && '. It would be refused now: see beside the form.'}
    </>
  )
}
