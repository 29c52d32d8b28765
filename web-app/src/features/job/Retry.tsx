import { Button } from '@mantine/core'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState, type ReactNode } from 'react'
import { jobKeys, retryJob, type Job } from '@/shared/api/jobs'
import { newKey } from '@/shared/lib/key'
import { Icon } from '@/shared/ui/Icon'
import { complain, say } from '@/shared/ui/toasts'

/** Makes the job that does again what failed, and goes to it. */
export function useRetry({ jobId }: Pick<Job, 'jobId'>) {
  const client = useQueryClient()
  const navigate = useNavigate()
  // Pressed twice, it is one job.
  const [key] = useState(() => newKey())
  return useMutation({
    mutationFn: () => retryJob(jobId, key),
    onSuccess: async (job) => {
      client.setQueryData(jobKeys.detail(job.jobId), job)
      void client.invalidateQueries({ queryKey: jobKeys.lists })
      say('A new job does again what failed.')
      await navigate({ to: '/jobs/$jobId', params: { jobId: job.jobId } })
    },
    onError: complain,
  })
}

export function RetryButton({ job, children }: { job: Job; children: ReactNode }) {
  const retry = useRetry(job)
  return (
    <Button
      variant="default"
      leftSection={<Icon name="refresh" />}
      loading={retry.isPending}
      onClick={() => retry.mutate()}
    >
      {children}
    </Button>
  )
}
