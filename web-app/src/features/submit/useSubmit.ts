import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useRef } from 'react'
import { createJob, jobKeys } from '@/shared/api/jobs'
import { ApiError } from '@/shared/api/problem'
import { newKey } from '@/shared/lib/key'
import type { JobRequest } from '@/shared/lib/snippets'
import { say } from '@/shared/ui/toasts'
import { bodyOf } from './form'

/** Makes the job and goes to it. One key for one request, however often the button is pressed. */
export function useSubmit(
  request: JobRequest,
  { onMade, onFault }: { onMade: () => void; onFault: (parameter: string, message: string) => void },
) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const sent = useRef({ body: '', key: '' })
  return useMutation({
    mutationFn: () => {
      const body = bodyOf(request)
      const text = JSON.stringify(body)
      if (sent.current.body !== text) sent.current = { body: text, key: newKey() }
      return createJob(body, sent.current.key)
    },
    onSuccess: async (job) => {
      onMade()
      void client.invalidateQueries({ queryKey: jobKeys.all })
      client.setQueryData(jobKeys.detail(job.jobId), job)
      say(request.run ? 'The job is on its way.' : 'The job is made, and waits to be run.')
      await navigate({ to: '/jobs/$jobId', params: { jobId: job.jobId } })
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return
      for (const { parameter, message } of error.faults) onFault(parameter, message)
      document.getElementById('submit-error')?.scrollIntoView({ block: 'nearest' })
    },
  })
}
