import { Button } from '@mantine/core'
import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query'
import { useMemo, useState } from 'react'
import { useForm } from 'react-hook-form'
import { TextInput } from '@/shared/ui/kit/inputs'
import { Modal } from '@/shared/ui/kit/modal'
import type { Schema } from '@/shared/api/client'
import { useNextPage } from '@/shared/api/pages'
import { sentence } from '@/shared/api/problem'
import { bytes, count } from '@/shared/lib/format'
import { Confirm } from '@/shared/ui/Confirm'
import { DataGrid, type Column } from '@/shared/ui/DataGrid'
import { Card } from '@/shared/ui/Page'
import { Loaded, Notice } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { say } from '@/shared/ui/toasts'
import { adminKeys, endSessions, setLimits, usersQuery, type User } from './api'
import { limitNames, parseLimit, type LimitName } from './limits'
import cx from './admin.module.css'

const rowId = ({ name }: User) => name

/** The people of the server. Administrators see them, set what each may have, and end sessions. */
export function Users() {
  const query = useInfiniteQuery(usersQuery)
  const [edited, setEdited] = useState<User>()
  const [ended, setEnded] = useState<User>()
  const rows = useMemo(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data])
  const onEnd = useNextPage(query)
  const columns = useMemo(
    (): Column<User>[] => [
      {
        id: 'name',
        header: 'Name',
        width: 'minmax(140px, 1.4fr)',
        cell: ({ name, disabled }) => (
          <>
            <strong>{name}</strong> {disabled && <span className={cx['dim']}>disabled</span>}
          </>
        ),
      },
      { id: 'role', header: 'Role', width: '100px', cell: ({ role }) => role },
      { id: 'seen', named: true, header: 'Seen', width: '130px', cell: ({ seen }) => <Ago at={seen} /> },
      {
        id: 'limits',
        named: true,
        header: 'May have',
        width: 'minmax(220px, 2fr)',
        cell: ({ limits }) => <span className={cx['dim']}>{limitsText(limits)}</span>,
      },
      {
        id: 'act',
        header: 'Act',
        head: '',
        width: '210px',
        end: true,
        cell: (user) => (
          <span className={cx['acts']}>
            <Button size="compact-sm" variant="default" onClick={() => setEdited(user)}>
              Quotas
            </Button>
            <Button size="compact-sm" variant="default" onClick={() => setEnded(user)}>
              Sign out
            </Button>
          </span>
        ),
      },
    ],
    [],
  )
  return (
    <Loaded query={query} what="Reading the people">
      {() =>
        rows.length === 0 ? (
          <Notice icon="user" title="Nobody yet">
            <p>People are here once they have signed in.</p>
          </Notice>
        ) : (
          <Card flush>
            <DataGrid label="People" boxed rows={rows} columns={columns} rowId={rowId} onEnd={onEnd} />
            <Modal
              opened={edited !== undefined}
              onClose={() => setEdited(undefined)}
              title={`Quotas of ${edited?.name ?? ''}`}
            >
              {edited && <Limits user={edited} onClose={() => setEdited(undefined)} />}
            </Modal>
            <Confirm
              opened={ended !== undefined}
              title={`Sign ${ended?.name ?? ''} out everywhere?`}
              verb="Sign out"
              danger
              onConfirm={async () => {
                if (ended === undefined) return
                const { sessions, tokens } = await endSessions(ended.name)
                say(`${count(sessions)} sessions ended, ${count(tokens)} tokens revoked.`)
              }}
              onClose={() => setEnded(undefined)}
            >
              <p>All sessions end, and all API tokens are revoked. Jobs go on.</p>
            </Confirm>
          </Card>
        )
      }
    </Loaded>
  )
}

function limitsText(limits: Schema['Limits']): string {
  const parts = [
    limits.running != null && `${count(limits.running)} running`,
    limits.queued != null && `${count(limits.queued)} queued`,
    limits.storedBytes != null && bytes(limits.storedBytes),
  ].filter((part) => part !== false)
  return parts.length === 0 ? 'any number' : parts.join(', ')
}

function Limits({ user, onClose }: { user: User; onClose: () => void }) {
  const client = useQueryClient()
  const form = useForm<Record<LimitName, string>>({
    defaultValues: Object.fromEntries(
      Object.keys(limitNames).map((name) => [name, String(user.limits[name as LimitName] ?? '')]),
    ) as Record<LimitName, string>,
  })
  // Read while rendering, so that the form keeps account of them.
  const { errors, dirtyFields } = form.formState
  const save = useMutation({
    mutationFn: (values: Record<LimitName, string>) => {
      const change: Partial<Record<LimitName, number | null>> = {}
      for (const name of Object.keys(dirtyFields) as LimitName[]) {
        const limit = parseLimit(values[name])
        if (typeof limit !== 'string') change[name] = limit
      }
      return setLimits(user.name, change as Schema['UserChange'])
    },
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: adminKeys.users })
      onClose()
      say('The quotas are set.')
    },
  })
  return (
    <form
      className={cx['form']}
      noValidate
      onSubmit={(event) => void form.handleSubmit((values) => save.mutate(values))(event)}
    >
      <p className={cx['dim']}>Empty: what the settings say. 0: any number.</p>
      {(Object.keys(limitNames) as LimitName[]).map((name) => (
        <TextInput
          key={name}
          label={limitNames[name]}
          inputMode="numeric"
          error={errors[name]?.message}
          {...form.register(name, {
            validate: (value) => {
              const limit = parseLimit(value)
              return typeof limit === 'string' ? limit : true
            },
          })}
        />
      ))}
      {save.error !== null && (
        <p role="alert" className={cx['fault']}>
          {sentence(save.error)}
        </p>
      )}
      <div className={cx['actions']}>
        <Button type="submit" loading={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  )
}
