import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { Job } from '@/shared/api/jobs'
import { colourPicturesQuery, inFileNames, resultUrl } from '@/shared/api/results'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import cx from './object.module.css'

/** A result that is a picture as it is. */
export function Picture({ job, file, alt }: { job: Job; file: string; alt: string }) {
  return (
    <div className={cx['drawn']}>
      <img src={resultUrl(job, file)} width={360} height={360} alt={alt} />
      <Button
        component="a"
        variant="default"
        size="compact-sm"
        href={resultUrl(job, file)}
        download={file}
        leftSection={<Icon name="download" size={16} />}
      >
        {file}
      </Button>
    </div>
  )
}

/** The pictures of three bands that the job has made of a position; of several that are called so, all. */
export function ColourPicture({ job, id }: { job: Job; id: string }) {
  const { data: pictures = [] } = useQuery(colourPicturesQuery(job, false))
  const own = pictures.filter(({ of }) => of === inFileNames(id))
  if (own.length === 0) return null
  return (
    <Card title="In colour">
      {own.map(({ file }) => (
        <Picture key={file} job={job} file={file} alt={`${id} in three bands`} />
      ))}
    </Card>
  )
}
