import type { ReactNode } from 'react'
import type { Job } from '@/shared/api/jobs'
import { Icon } from '@/shared/ui/Icon'
import cx from './job.module.css'

type FailureProps = { error: NonNullable<Job['errorSummary']>; children?: ReactNode }

/** Why a job has failed. `children`: what can be done, for those who can do it. */
export function Failure({ error, children }: FailureProps) {
  return (
    <div className={cx['failure']} role="alert">
      <Icon name="warning" />
      <div>
        <strong>{error.message}</strong>
        {children !== undefined && <p>{children}</p>}
      </div>
    </div>
  )
}
