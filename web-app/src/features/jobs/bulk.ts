import type { Schema } from '@/shared/api/client'

export type Action = Schema['BulkAction']
export type Report = Schema['BulkReport'] & { action: Action }

export const verbs: Record<Action, { verb: string; done: string; lost: string }> = {
  abort: {
    verb: 'Abort',
    done: 'aborted',
    lost: 'What has not ended is ended now. Results that are there stay.',
  },
  delete: { verb: 'Delete', done: 'deleted', lost: 'Their results and logs are gone for good.' },
}
