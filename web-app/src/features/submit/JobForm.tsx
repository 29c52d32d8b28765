import { Button } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useCallback, useDeferredValue, useEffect, useEffectEvent, useMemo, useRef, useState } from 'react'
import { useForm, useWatch } from 'react-hook-form'
import { Checkbox } from '@/shared/ui/kit/inputs'
import type { Me, ParameterInfo, Service } from '@/shared/api/me'
import { useHotkeys } from '@/shared/lib/hotkeys'
import { Icon } from '@/shared/ui/Icon'
import { Card, Page } from '@/shared/ui/Page'
import { Snippets } from '@/shared/ui/Snippets'
import { canCheck, checkQuery } from './check'
import { dropDraft, isTouched, isTyped, keepDraft } from './draft'
import { emptyForm, fault, groupsOf, hintOf, isSameRequest, requestOf, type FormValues } from './form'
import { Field } from './Field'
import { Foot } from './Foot'
import { Forecast } from './Forecast'
import { ListField } from './ListField'
import { Others } from './Others'
import { ParameterField } from './ParameterField'
import { hindrance } from './rules'
import type { ReadList } from './useList'
import { useSubmit } from './useSubmit'
import cx from './submit.module.css'

type JobFormProps = {
  service: Service
  services: readonly Service[]
  me: Me
  initial: FormValues
  restored: boolean
}

const noneChosen: string[] = []

/** The server is asked what a job would find when typing pauses for this long. */
const PAUSE = 600

export function JobForm({ service, services, me, initial, restored }: JobFormProps) {
  const navigate = useNavigate()
  const { control, setValue, reset, setError, clearErrors, formState } = useForm<FormValues>({
    defaultValues: initial,
  })
  const values = useWatch({ control }) as FormValues
  const [read, setRead] = useState<ReadList>()
  const [note, setNote] = useState(restored && isTouched(initial))
  const groups = useMemo(() => groupsOf(service), [service])
  const lists = useMemo(() => service.parameters.filter(({ kind }) => kind.type === 'file'), [service])

  const onSent = useDraft(me.name, service.name, values, initial)

  // A list goes as it was read, not as it was typed.
  const listName = lists[0]?.name
  const typed = listName === undefined ? '' : (values.parameters[listName]?.[0] ?? '')
  const isRead = typed === '' || read?.of === typed
  const request = useMemo(() => {
    const parameters =
      listName !== undefined && read !== undefined && isRead && read.list.rows.length > 0
        ? { ...values.parameters, [listName]: [read.csv] }
        : values.parameters
    return requestOf(service, { ...values, parameters })
  }, [service, values, read, isRead, listName])

  const settled = useSettled(request, PAUSE)
  const asks =
    canCheck(service.name) &&
    settled.parameters.length > 0 &&
    (read === undefined || (read.list.problems === 0 && read.list.fault === undefined))
  const check = useQuery({
    ...checkQuery(settled),
    enabled: asks,
    placeholderData: (old) => old,
  })

  const faults = useMemo(() => {
    const found = new Map<string, string>()
    for (const info of service.parameters) {
      const given = values.parameters[info.name] ?? []
      const isEmpty = given.every((value) => value.trim() === '')
      const text =
        fault(info, given) ?? (isEmpty ? undefined : hindrance(service.name, info.name, values.parameters))
      if (text !== undefined) found.set(info.name, text)
    }
    return found
  }, [service, values.parameters])
  // What the server has said, if it was of what is there now: its rows have the numbers of that list.
  const told = !check.isPlaceholderData && isSameRequest(settled, request) ? check.data : undefined

  const submit = useSubmit(request, {
    onMade: onSent,
    onFault: (parameter, message) => setError(`parameters.${parameter}`, { message }),
  })
  const hint = hintOf({
    list: isRead ? read?.list : 'being read',
    fault: faults.keys().next().value,
    empty: !service.anyParameter && request.parameters.length === 0,
  })
  const send = () => {
    if (hint !== undefined || submit.isPending) return
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
  const errorOf = (name: string) =>
    formState.errors.parameters?.[name]?.message ??
    faults.get(name) ??
    told?.faults.find(({ parameter }) => parameter === name)?.message
  const field = (info: ParameterInfo) => {
    const given = values.parameters[info.name] ?? []
    return (
      <ParameterField
        key={info.name}
        service={service.name}
        info={info}
        values={given}
        collections={values.parameters['COLLECTION'] ?? noneChosen}
        error={errorOf(info.name)}
        hindered={given.length === 0 ? hindrance(service.name, info.name, values.parameters) : undefined}
        onValues={(next) => set(info.name, next)}
      />
    )
  }
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
                      checked={told}
                      onText={(text) => set(info.name, [text])}
                      onRead={setRead}
                    />
                  ) : (
                    field(info)
                  ),
                )}
              </div>
              {more.length > 0 && (
                <details
                  className={cx['more']}
                  open={more.some(({ name }) => (values.parameters[name] ?? []).some((one) => one !== ''))}
                >
                  <summary>{more.length} more</summary>
                  <div className={cx['fields']}>{more.map(field)}</div>
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
              told={told}
              asks={asks}
            />
          )}
          <Card title="The same job as code">
            <Snippets request={useDeferredValue(request)} withToken={me.by !== 'local'} />
          </Card>
        </div>
        <Foot
          error={submit.error}
          hint={hint}
          checked={asks && check.error === null ? check.data : undefined}
          run={values.run}
          busy={submit.isPending}
          onClear={clear}
        />
      </form>
    </Page>
  )
}

function useDraft(person: string, service: string, values: FormValues, initial: FormValues) {
  const [first] = useState(initial)
  const typed = useRef(false)
  const sent = useRef(false)
  const keep = useEffectEvent(() => {
    if (sent.current) return
    typed.current ||= isTyped(values, first)
    if (typed.current && isTouched(values)) keepDraft(person, service, values)
  })
  useEffect(() => {
    const timer = setTimeout(() => keep(), 400)
    return () => clearTimeout(timer)
  }, [values])
  useEffect(() => {
    const leave = () => keep()
    window.addEventListener('pagehide', leave)
    return () => {
      window.removeEventListener('pagehide', leave)
      leave()
    }
  }, [])
  return useCallback(() => {
    sent.current = true
    dropDraft(person, service)
  }, [person, service])
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
