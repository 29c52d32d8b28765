import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { colourBands, colourPictures } from '@/shared/api/results'
import { ColourPictures } from '@/shared/job/ColourPictures'
import { sharedResultsQuery, sharedUrls, type SharedJob } from './api'

/** The colour pictures of a job that was asked for them, as far as it has made them. */
export function Colours({ secret, job }: { secret: string; job: SharedJob }) {
  const bands = colourBands(job)
  const { data } = useQuery({ ...sharedResultsQuery(secret, job), enabled: bands !== '' })
  const pictures = useMemo(() => colourPictures(data ?? []), [data])
  return <ColourPictures urls={sharedUrls(secret, job.jobId)} pictures={pictures} bands={bands} />
}
