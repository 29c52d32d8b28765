import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { useMemo, useRef, useState } from 'react'
import { FitsError } from '@/shared/astro/header'
import { basePath } from '@/shared/config'
import { localSource, openedQuery, resultSource, type ImageSource } from '@/shared/image/queries'
import { Icon } from '@/shared/ui/Icon'
import { Page } from '@/shared/ui/Page'
import { ErrorPanel, Loading, Notice } from '@/shared/ui/States'
import { OpenedFile } from './OpenedFile'
import { resultAddress } from './source'
import cx from './viewer.module.css'

const route = getRouteApi('/viewer')

/** Looks at a FITS file: one of this computer, which goes nowhere, or a result of a job. */
export function ViewerPage() {
  const { src } = route.useSearch()
  const navigate = useNavigate({ from: '/viewer' })
  const [local, setLocal] = useState<ImageSource>()
  const [over, setOver] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const address = useMemo(
    () => (src === undefined ? undefined : resultAddress(src, window.location.origin, basePath)),
    [src],
  )
  const remote = useMemo(() => address && resultSource(address.path, address.name), [address])
  const source = local ?? remote

  const take = (file: File | undefined) => {
    if (file === undefined) return
    setLocal(localSource(file))
    void navigate({ search: ({ stretch, map }) => ({ stretch, map }), replace: true })
  }
  return (
    // The field below is the way of the keyboard.
    // eslint-disable-next-line jsx-a11y/no-static-element-interactions
    <div
      className={cx['drop']}
      data-over={over || undefined}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null)) setOver(false)
      }}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        take(event.dataTransfer.files[0])
      }}
    >
      <Page
        title={source?.name ?? 'Viewer'}
        wide
        lead={
          local !== undefined
            ? 'A file of this computer; it is not sent anywhere.'
            : address !== undefined && (
                <>
                  A result of{' '}
                  <Link to="/jobs/$jobId" params={{ jobId: address.jobId }} reloadDocument>
                    job {address.jobId.slice(-8)}
                  </Link>
                </>
              )
        }
        actions={
          <>
            {address !== undefined && local === undefined && (
              <Button
                component="a"
                variant="default"
                href={basePath + address.path}
                download={address.name}
                leftSection={<Icon name="download" />}
              >
                Download
              </Button>
            )}
            <Button
              variant="default"
              leftSection={<Icon name="file" />}
              onClick={() => input.current?.click()}
            >
              Open a file
            </Button>
            <input
              ref={input}
              type="file"
              hidden
              aria-label="A FITS file of this computer"
              accept=".fits,.fit,.fts,.fz,.gz,image/fits,application/fits"
              onChange={({ currentTarget }) => {
                take(currentTarget.files?.[0])
                currentTarget.value = ''
              }}
            />
          </>
        }
      >
        {source !== undefined ? (
          <Opened key={source.key} source={source} />
        ) : src !== undefined ? (
          <Notice alert icon="lock" title="This address is not opened">
            <p>The viewer opens results of jobs on this server, and files of your computer.</p>
          </Notice>
        ) : (
          <Notice
            icon="image"
            title="Look at a FITS file"
            actions={<Button onClick={() => input.current?.click()}>Choose a file</Button>}
          >
            <p>
              Drop one here, or choose it. It stays on your computer. The files of a job have a link that
              opens them here.
            </p>
          </Notice>
        )}
      </Page>
    </div>
  )
}

function Opened({ source }: { source: ImageSource }) {
  const { data, error, refetch } = useQuery(openedQuery(source))
  if (error instanceof FitsError) {
    return (
      <Notice alert icon="warning" title="This file cannot be looked at">
        <p>{error.message}</p>
      </Notice>
    )
  }
  if (error !== null) return <ErrorPanel error={error} retry={() => void refetch()} />
  if (data === undefined) return <Loading what={`Opening ${source.name}`} />
  return <OpenedFile source={source} file={data} />
}
