import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from 'react'
import { useForm, useWatch } from 'react-hook-form'
import { Checkbox } from '@/shared/ui/kit/inputs'
import { ApiError, sentence } from '@/shared/api/problem'
import { createJob, jobKeys } from '@/shared/api/jobs'
import type { Me, Service } from '@/shared/api/me'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { Icon } from '@/shared/ui/Icon'
import { Card, Page } from '@/shared/ui/Page'
import { Snippets } from '@/shared/ui/Snippets'
import { say } from '@/shared/ui/toasts'
import { canCheck, checkQuery } from './check'
import { dropDraft, isTouched, keepDraft } from './draft'
import { bodyOf, emptyForm, fault, groupsOf, requestOf, type FormValues } from './form'
import { Field } from './Field'
import { Forecast } from './Forecast'
import { ListField } from './ListField'
import { Others } from './Others'
import { ParameterField } from './ParameterField'
import type { ReadList } from './useList'
import cx from './submit.module.css'

type JobFormProps = {
  service: Service
  services: readonly Service[]
  me: Me
  initial: FormValues
  restored: boolean
}

/** The server is asked what a job would find when typing pauses for this long. */
const PAUSE = 600

export function JobForm({ service, services, me, initial, restored }: JobFormProps) {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { control, setValue, reset, setError, clearErrors, formState } = useForm<FormValues>({
    defaultValues: initial,
  })
  const values = useWatch({ control }) as FormValues
  const [read, setRead] = useState<ReadList>()
  const [note, setNote] = useState(restored && isTouched(initial))
  const groups = useMemo(() => groupsOf(service), [service])
  const lists = useMemo(() => service.parameters.filter(({ kind }) => kind.type === 'file'), [service])

  useDraft(me.name, service.name, values)

  // A list goes as it was read, not as it was typed.
  const listName = lists[0]?.name
  const request = useMemo(() => {
    const typed = listName === undefined ? undefined : values.parameters[listName]?.[0]
    const parameters =
      listName !== undefined && read !== undefined && read.of === typed && read.list.rows.length > 0
        ? { ...values.parameters, [listName]: [read.csv] }
        : values.parameters
    return requestOf(service, { ...values, parameters })
  }, [service, values, read, listName])

  const settled = useSettled(request, PAUSE)
  const worthAsking = settled.parameters.length > 0 && (read === undefined || read.list.problems === 0)
  const check = useQuery({
    ...checkQuery(settled),
    enabled: canCheck(service.name) && worthAsking,
    placeholderData: (old) => old,
  })

  const faults = useMemo(() => {
    const found = new Map<string, string>()
    for (const info of service.parameters) {
      const text = fault(info, values.parameters[info.name] ?? [])
      if (text !== undefined) found.set(info.name, text)
    }
    return found
  }, [service, values.parameters])

  // One key for one request, however often the button is pressed.
  const sent = useRef({ body: '', key: '' })
  const submit = useMutation({
    mutationFn: () => {
      const body = bodyOf(request)
      const text = JSON.stringify(body)
      if (sent.current.body !== text) sent.current = { body: text, key: crypto.randomUUID() }
      return createJob(body, sent.current.key)
    },
    onSuccess: async (job) => {
      dropDraft(me.name, service.name)
      void client.invalidateQueries({ queryKey: jobKeys.all })
      client.setQueryData(jobKeys.detail(job.jobId), job)
      say(request.run ? 'The job is on its way.' : 'The job is made, and waits to be run.')
      await navigate({ to: '/jobs/$jobId', params: { jobId: job.jobId } })
    },
    onError: (error) => {
      if (!(error instanceof ApiError)) return
      for (const { parameter, message } of error.faults) setError(`parameters.${parameter}`, { message })
      document.getElementById('submit-error')?.scrollIntoView({ block: 'nearest' })
    },
  })
  const badRows = read?.list.problems ?? 0
  const empty = !service.anyParameter && request.parameters.length === 0
  const blocked = faults.size > 0 || badRows > 0 || empty
  const send = () => {
    if (blocked || submit.isPending) return
    clearErrors()
    submit.mutate()
  }
  useHotkeys({ 'mod+enter': send })

  const set = useCallback(
    (name: string, next: string[]) => {
      clearErrors(`parameters.${name}`)
      setValue(`parameters.${name}`, next, { shouldDirty: true })
    },
    [clearErrors, setValue],
  )
  const errorOf = (name: string) => formState.errors.parameters?.[name]?.message ?? faults.get(name)
  const clear = () => {
    reset(emptyForm(service))
    dropDraft(me.name, service.name)
    setNote(false)
    setRead(undefined)
  }
  return (
    <Page title={`New job: ${service.title}`} wide lead={service.summary}>
      {services.length > 1 && (
        <div className={cx['services']} role="group" aria-label="Service">
          {services.map(({ name, title }) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === service.name}
              className={cx['service']}
              onClick={() => void navigate({ to: '/cutout', search: { service: name } })}
            >
              {title}
            </button>
          ))}
        </div>
      )}
      {note && (
        <div className={cx['note']} role="status">
          <Icon name="edit" />
          This is what you had typed before.
          <Button variant="subtle" size="compact-sm" onClick={clear}>
            Begin anew
          </Button>
          <Button variant="subtle" size="compact-sm" onClick={() => setNote(false)}>
            Go on
          </Button>
        </div>
      )}
      <form
        className={cx['columns']}
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          send()
        }}
      >
        <div className={cx['form']}>
          {groups.map(({ title, parameters, more }) => (
            <Card key={title} title={title}>
              <div className={cx['fields']}>
                {parameters.map((info) =>
                  info.name === listName ? (
                    <ListField
                      key={info.name}
                      info={info}
                      text={values.parameters[info.name]?.[0] ?? ''}
                      error={formState.errors.parameters?.[info.name]?.message}
                      checked={check.data}
                      onText={(text) => set(info.name, [text])}
                      onRead={setRead}
                    />
                  ) : (
                    <ParameterField
                      key={info.name}
                      service={service.name}
                      info={info}
                      values={values.parameters[info.name] ?? []}
                      error={errorOf(info.name)}
                      onValues={(next) => set(info.name, next)}
                    />
                  ),
                )}
              </div>
              {more.length > 0 && (
                <details
                  className={cx['more']}
                  open={more.some(({ name }) => (values.parameters[name] ?? []).some((one) => one !== ''))}
                >
                  <summary>{more.length} more</summary>
                  <div className={cx['fields']}>
                    {more.map((info) => (
                      <ParameterField
                        key={info.name}
                        service={service.name}
                        info={info}
                        values={values.parameters[info.name] ?? []}
                        error={errorOf(info.name)}
                        onValues={(next) => set(info.name, next)}
                      />
                    ))}
                  </div>
                </details>
              )}
            </Card>
          ))}
          {service.anyParameter && (
            <Card title="Other parameters">
              <Others
                values={values.others}
                onValues={(others) => setValue('others', others, { shouldDirty: true })}
              />
            </Card>
          )}
          <Card title="The job">
            <div className={cx['fields']}>
              <Field label="Label" meaning="What you call it">
                {(control) => (
                  <input
                    {...control}
                    className={cx['text']}
                    maxLength={64}
                    value={values.runId}
                    onChange={({ currentTarget }) => setValue('runId', currentTarget.value)}
                  />
                )}
              </Field>
              <Checkbox
                className={cx['hold']}
                label="Run it at once"
                description="Otherwise it waits until you run it"
                checked={values.run}
                onChange={({ currentTarget }) => setValue('run', currentTarget.checked)}
              />
            </div>
          </Card>
        </div>
        <div className={cx['beside']}>
          {listName !== undefined && (
            <Forecast
              rows={read?.list.rows}
              collections={values.parameters['COLLECTION'] ?? []}
              check={check}
              asks={canCheck(service.name) && worthAsking}
            />
          )}
          <Card title="The same job as code">
            <Snippets request={useDeferredValue(request)} withToken={me.by !== 'local'} />
          </Card>
        </div>
        <div className={cx['foot']}>
          <div className={cx['say']}>
            {submit.error !== null && (
              <div id="submit-error" role="alert" className={cx['error']}>
                <Icon name="warning" />
                <span>{sentence(submit.error)}</span>
              </div>
            )}
            {submit.error === null && <Ready badRows={badRows} faults={faults} empty={empty} />}
          </div>
          <Button variant="default" onClick={clear}>
            Clear
          </Button>
          <Button
            type="submit"
            loading={submit.isPending}
            disabled={blocked}
            leftSection={<Icon name="play" />}
          >
            {values.run ? 'Submit' : 'Make and hold'}
          </Button>
        </div>
      </form>
    </Page>
  )
}

function Ready({
  badRows,
  faults,
  empty,
}: {
  badRows: number
  faults: ReadonlyMap<string, string>
  empty: boolean
}) {
  const [name] = faults.keys()
  if (empty) return <span>Nothing is asked for yet.</span>
  if (badRows > 0) return <span>{badRows === 1 ? 'One row' : `${badRows} rows`} must be mended first.</span>
  if (name !== undefined) return <span>{name} must be mended first.</span>
  return <span>Ready.</span>
}

function useDraft(person: string, service: string, values: FormValues) {
  useEffect(() => {
    const timer = setTimeout(() => {
      if (isTouched(values)) keepDraft(person, service, values)
    }, 400)
    return () => clearTimeout(timer)
  }, [person, service, values])
}

/** A value once it has not changed for a while. */
function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds)
    return () => clearTimeout(timer)
  }, [value, milliseconds])
  return settled
}
