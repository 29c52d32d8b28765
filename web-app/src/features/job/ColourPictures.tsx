import { useQuery } from '@tanstack/react-query'
import type { Job } from '@/shared/api/jobs'
import { hasEnded } from '@/shared/api/phases'
import { colourBands, colourPicturesQuery, ownUrls } from '@/shared/api/results'
import { ColourPictures as Pictures } from '@/shared/job/ColourPictures'

/** Those of a job, as far as it has made them. */
export function ColourPictures({ job }: { job: Job }) {
  const { data: pictures = [] } = useQuery(colourPicturesQuery(job, !hasEnded(job.phase)))
  return <Pictures urls={ownUrls(job)} pictures={pictures} bands={colourBands(job)} />
}
