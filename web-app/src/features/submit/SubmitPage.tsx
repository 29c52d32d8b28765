import '@mantine/core/styles/Combobox.layer.css'
import '@mantine/core/styles/Pill.layer.css'
import '@mantine/core/styles/PillsInput.layer.css'
import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { jobQuery, type Job } from '@/shared/api/jobs'
import { meQuery, servicesQuery, type Service } from '@/shared/api/me'
import { manifestQuery, parameterText } from '@/shared/api/results'
import { parseList, toCsv } from '@/shared/astro/positions'
import { ErrorPanel, Loading, Notice } from '@/shared/ui/States'
import { emptyForm, type FormValues } from './form'
import { JobForm } from './JobForm'
import { readDraft } from './draft'
import { sample } from './sample'

const route = getRouteApi('/cutout')

/** The form of a service, drawn from what the server says of it. */
export function SubmitPage() {
  const { service: asked, from, failed, sample: wantsSample } = route.useSearch()
  const services = useQuery(servicesQuery)
  const me = useQuery(meQuery)
  const all = services.data?.services
  const service = all?.find(({ name }) => name === asked) ?? (asked === undefined ? all?.[0] : undefined)
  const start = useStart(service, from, failed === true)

  // What has been read stays, whatever happens to it later: somebody may be typing into it.
  const error = services.error ?? me.error
  if (all === undefined || me.data === undefined) {
    if (error !== null) return <ErrorPanel error={error} retry={() => void services.refetch()} />
    return <Loading what="Reading what can be asked for" />
  }
  if (service === undefined) {
    return (
      <Notice icon="search" title={`There is no service “${asked ?? ''}” here`}>
        <p>This server has: {all.map(({ title }) => title).join(', ')}.</p>
      </Notice>
    )
  }
  if (from !== undefined && start.data === undefined) {
    if (start.error !== null) return <ErrorPanel error={start.error} />
    return <Loading what="Reading the job to begin with" />
  }

  const draft = from === undefined && wantsSample !== true ? readDraft(me.data.name, service.name) : undefined
  const fresh = emptyForm(service)
  if (wantsSample === true) {
    const list = service.parameters.find(({ kind }) => kind.type === 'file')
    if (list) fresh.parameters[list.name] = [sample]
  }
  return (
    <JobForm
      key={`${service.name} ${from ?? ''} ${failed ?? ''} ${wantsSample ?? ''}`}
      service={service}
      services={all}
      me={me.data}
      initial={start.data ?? draft ?? fresh}
      restored={draft !== undefined}
    />
  )
}

/** What another job asked for, or of it only what failed. */
function useStart(
  service: Service | undefined,
  from: string | undefined,
  failed: boolean,
): Pick<UseQueryResult<FormValues>, 'data' | 'error'> {
  const job = useQuery({ ...jobQuery(from ?? ''), enabled: from !== undefined })
  const { data: manifest, error } = useQuery({
    ...manifestQuery({ service: service?.name ?? '', jobId: from ?? '' }),
    enabled: failed && from !== undefined && service !== undefined,
  })
  const start = useQuery({
    queryKey: ['start', service?.name, from, failed, failed && manifest !== undefined],
    enabled: service !== undefined && job.data !== undefined && (!failed || manifest !== undefined),
    queryFn: () => {
      if (service === undefined || job.data === undefined) throw new Error('enabled only with both')
      const rows = failed
        ? new Set(manifest?.rows.filter(({ status }) => status === 'failed').map(({ row }) => row))
        : undefined
      return valuesOf(service, job.data, rows)
    },
    staleTime: Infinity,
  })
  return { data: start.data, error: job.error ?? error ?? start.error }
}

async function valuesOf(
  service: Service,
  job: Job,
  rows: ReadonlySet<number> | undefined,
): Promise<FormValues> {
  const values = { ...emptyForm(service), runId: job.runId ?? '' }
  for (const parameter of job.parameters) {
    const described = service.parameters.find(({ name }) => name === parameter.id)
    let value = await parameterText(job, parameter)
    if (described === undefined) {
      values.others.push({ name: parameter.id, value })
      continue
    }
    if (described.kind.type === 'file' && rows !== undefined) {
      value = toCsv(parseList(value).rows.filter((_, index) => rows.has(index + 1)))
    }
    values.parameters[parameter.id] = [...(values.parameters[parameter.id] ?? []), value]
  }
  return values
}
