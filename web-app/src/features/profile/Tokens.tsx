import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useForm } from 'react-hook-form'
import * as z from 'zod/mini'
import { Checkbox, TextInput } from '@/shared/ui/kit/inputs'
import { Modal } from '@/shared/ui/kit/modal'
import type { Schema } from '@/shared/api/client'
import { sentence } from '@/shared/api/problem'
import { Confirm } from '@/shared/ui/Confirm'
import { CopyBlock } from '@/shared/ui/CopyBlock'
import { Icon } from '@/shared/ui/Icon'
import { Card } from '@/shared/ui/Page'
import { Loaded } from '@/shared/ui/States'
import { Ago } from '@/shared/ui/Time'
import { say } from '@/shared/ui/toasts'
import { createToken, revokeToken, tokensQuery } from './api'
import cx from './profile.module.css'

type Token = Schema['Token']

export function Tokens({ local }: { local: boolean }) {
  const client = useQueryClient()
  const query = useQuery({ ...tokensQuery, enabled: !local })
  const [making, setMaking] = useState(false)
  const [revoked, setRevoked] = useState<Token>()
  const renew = () => void client.invalidateQueries({ queryKey: tokensQuery.queryKey })
  return (
    <Card
      title="API tokens"
      aside={
        local ? null : (
          <Button
            size="compact-sm"
            leftSection={<Icon name="plus" size={16} />}
            onClick={() => setMaking(true)}
          >
            New token
          </Button>
        )
      }
    >
      <p className={cx['text']} id="tokens">
        {local
          ? 'On this server nobody signs in, so programs need no token.'
          : 'A token lets a program act for you: keep it as you keep a password.'}
      </p>
      {!local && (
        <Loaded query={query} what="Reading your tokens">
          {({ items }) =>
            items.length === 0 ? (
              <p className={cx['dim']}>There are none.</p>
            ) : (
              <ul className={cx['tokens']}>
                {items.map((token) => (
                  <li key={token.id} className={cx['token']}>
                    <span>
                      <strong>{token.name}</strong>
                      <span className={cx['dim']}> {token.scopes.join(', ')}</span>
                    </span>
                    <span className={cx['dim']}>
                      ends <Ago at={token.expires} />,{' '}
                      {token.lastUsed == null ? (
                        'never used'
                      ) : (
                        <>
                          used <Ago at={token.lastUsed} />
                        </>
                      )}
                    </span>
                    <Button variant="default" size="compact-sm" onClick={() => setRevoked(token)}>
                      Revoke
                    </Button>
                  </li>
                ))}
              </ul>
            )
          }
        </Loaded>
      )}
      <Modal opened={making} onClose={() => setMaking(false)} title="New token">
        <NewToken onMade={renew} onClose={() => setMaking(false)} />
      </Modal>
      <Confirm
        opened={revoked !== undefined}
        title={`Revoke ${revoked?.name ?? ''}?`}
        verb="Revoke"
        danger
        onConfirm={async () => {
          if (revoked) await revokeToken(revoked.id)
          say('The token is good for nothing now.')
          renew()
        }}
        onClose={() => setRevoked(undefined)}
      >
        <p>Programs that use it are refused from now on.</p>
      </Confirm>
    </Card>
  )
}

const schema = z.object({
  name: z.string().check(z.trim(), z.minLength(1, 'Say what it is for')),
  scopes: z.array(z.string()).check(z.minLength(1, 'At least one')),
  days: z
    .int('A whole number of days')
    .check(z.minimum(1, 'At least 1 day'), z.maximum(366, 'At most 366 days')),
})
type Form = z.infer<typeof schema>

const scopes = [
  ['read', 'Read: look at jobs and fetch results'],
  ['write', 'Write: make, change and delete jobs'],
  ['admin', 'Admin: what your role lets you do besides'],
] as const

function NewToken({ onMade, onClose }: { onMade: () => void; onClose: () => void }) {
  const form = useForm<Form>({
    defaultValues: { name: '', scopes: ['read', 'write'], days: 90 },
    resolver: (values) => {
      const read = schema.safeParse(values)
      if (read.success) return { values: read.data, errors: {} }
      const errors = Object.fromEntries(
        read.error.issues.map(({ path, message }) => [String(path[0]), { type: 'value', message }]),
      )
      return { values: {}, errors }
    },
  })
  const make = useMutation({
    mutationFn: ({ name, scopes: chosen, days }: Form) =>
      createToken({ name, scopes: chosen, expires: new Date(Date.now() + days * 86_400_000).toISOString() }),
    onSuccess: onMade,
  })
  const { errors } = form.formState
  if (make.data) {
    return (
      <>
        <p>
          <strong>Copy it now: it is not shown again.</strong>
        </p>
        <CopyBlock label="The token" text={make.data.token} />
        <div className={cx['actions']}>
          <Button onClick={onClose}>I have it</Button>
        </div>
      </>
    )
  }
  return (
    <form
      className={cx['new']}
      noValidate
      onSubmit={(event) => void form.handleSubmit((values) => make.mutate(values))(event)}
    >
      <TextInput
        label="Name"
        description="What it is for"
        error={errors.name?.message}
        data-autofocus
        {...form.register('name')}
      />
      <fieldset className={cx['scopes']}>
        <legend>It may</legend>
        {scopes.map(([value, label]) => (
          <Checkbox key={value} value={value} label={label} {...form.register('scopes')} />
        ))}
        {errors.scopes && <span className={cx['fault']}>{errors.scopes.message}</span>}
      </fieldset>
      <TextInput
        label="Days until it ends"
        type="number"
        min={1}
        max={366}
        error={errors.days?.message}
        {...form.register('days', { valueAsNumber: true })}
      />
      {make.error !== null && (
        <p className={cx['fault']} role="alert">
          {sentence(make.error)}
        </p>
      )}
      <div className={cx['actions']}>
        <Button type="submit" loading={make.isPending}>
          Make it
        </Button>
      </div>
    </form>
  )
}
