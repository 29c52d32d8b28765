import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import { expectAccessibleEverywhere } from '../harness/axe.ts'
import { loginTest as test } from '../harness/fixtures.ts'
import { environment, program } from '../harness/program.ts'
import { enter, signIn } from '../harness/sign-in.ts'

const heading = (name: string) => ['heading', { name, exact: true }] as const

test('30: an administrator drains a worker and lets it work again', async ({ page, server, realm }) => {
  await signIn(page, 'ada', 'admin')
  await page.getByRole('tab', { name: 'Workers' }).click()
  const worker = page.getByRole('table', { name: 'Workers' }).getByRole('row').nth(1)
  await worker.getByText('takes jobs').waitFor()
  await worker.getByRole('button', { name: 'Drain' }).click()
  await worker.getByText('takes no more').waitFor()
  server.as(await realm.token('ada'))
  const id = await server.job({ service: 'echo', runId: 'waits' })
  expect((await server.find(id)).phase).toBe('QUEUED')
  await worker.getByRole('button', { name: 'Resume' }).click()
  await worker.getByText('takes jobs').waitFor()
  await server.until(id, 'COMPLETED')
})

test('30: an administrator sets a person’s quota, which the person sees', async ({ page, open, server }) => {
  const bob = await open(server)
  await signIn(bob.page, 'bob', 'profile')
  await signIn(page, 'ada', 'admin/users')
  const row = page.getByRole('table', { name: 'People' }).getByRole('row').filter({ hasText: 'bob' })
  await row.getByRole('button', { name: 'Quotas' }).click()
  const dialog = page.getByRole('dialog', { name: 'Quotas of bob' })
  await dialog.getByLabel('Jobs in the queue').fill('seven')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByText('A number, 0 or more').waitFor()
  await expectAccessibleEverywhere(page, 'quotas of a person')
  await dialog.getByLabel('Jobs in the queue').fill('7')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await row.getByText('7 queued').waitFor()
  await expectAccessibleEverywhere(page, 'people')
  await bob.page.reload()
  await bob.page.getByText('of 7').waitFor()
})

test('30: operators see the queue and the workers, not people; others see nothing of it', async ({
  page,
  open,
  server,
}) => {
  await signIn(page, 'olga', 'admin/queue')
  await page.getByText('Places to run').waitFor()
  expect(await page.getByRole('tab').allInnerTexts()).toEqual(['Queue', 'Workers'])
  await page.goto('admin/users')
  await page
    .getByRole('alert')
    .getByRole(...heading('This is not yours to see'))
    .waitFor()
  await expectAccessibleEverywhere(page, 'a page of others')
  const alice = await open(server)
  await signIn(alice.page, 'alice', 'admin/queue')
  await alice.page
    .getByRole('alert')
    .getByRole(...heading('This is not yours to see'))
    .waitFor()
  expect(await alice.page.getByRole('link', { name: 'Operations' }).count()).toBe(0)
})

test('31: a token is shown once, works for programs, and not once it is revoked', async ({
  page,
  server,
}) => {
  const knows = async (token: string) =>
    (await fetch(`${server.address}/api/v1/me`, { headers: { Authorization: `Bearer ${token}` } })).status
  await signIn(page, 'alice', 'profile')
  await page.getByRole('button', { name: 'New token' }).click()
  const dialog = page.getByRole('dialog', { name: 'New token' })
  await dialog.getByRole('button', { name: 'Make it' }).click()
  await dialog.getByText('Say what it is for').waitFor()
  await expectAccessibleEverywhere(page, 'a new token')
  await dialog.getByLabel('Name').fill('nightly')
  await dialog.getByRole('button', { name: 'Make it' }).click()
  const token = (await dialog.getByRole('region', { name: 'The token' }).innerText()).trim()
  expect(token).toMatch(/^sdr_/)
  await expectAccessibleEverywhere(page, 'a token that is shown')
  expect(await knows(token)).toBe(200)
  await dialog.getByRole('button', { name: 'I have it' }).click()
  await dialog.waitFor({ state: 'detached' })
  const item = page.getByRole('listitem').filter({ hasText: 'nightly' })
  await item.waitFor()
  await page.reload()
  await item.getByText(/^ends .*, used/).waitFor()
  await expectAccessibleEverywhere(page, 'profile with a token')
  const kept = await page.evaluate(() =>
    JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.cookie]),
  )
  expect((await page.content()) + kept).not.toContain(token)

  await item.getByRole('button', { name: 'Revoke' }).click()
  const question = page.getByRole('dialog', { name: 'Revoke nightly?' })
  await question.waitFor()
  await expectAccessibleEverywhere(page, 'a token to revoke')
  await question.getByRole('button', { name: 'Revoke' }).click()
  await item.waitFor({ state: 'detached' })
  expect(await knows(token)).toBe(401)
})

test('32: a machine without a browser is signed in by a code in this one', async ({
  page,
  server,
  realm,
}) => {
  await signIn(page, 'bob', 'profile')
  const told = page.getByRole('region', { name: 'Commands for another machine' })
  await told.getByText(`sidereal login --server ${server.address}`).waitFor()

  const env = environment(server.folder, { SIDEREAL_SERVER: server.address })
  const login = spawn(program, ['login'], { cwd: server.folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => login.once('exit', resolve))
  const address = await new Promise<string>((resolve) => {
    for (const stream of [login.stdout, login.stderr]) {
      createInterface(stream).on('line', (line) => {
        const found = /https?:\/\/\S+user_code=\S+/.exec(line)
        if (found !== null) resolve(found[0])
      })
    }
  })
  expect(address.startsWith(realm.issuer)).toBe(true)
  const beside = await page.context().newPage()
  await beside.goto(address)
  await beside
    .getByRole('button', { name: 'Yes' })
    .or(beside.getByLabel('Username or email'))
    .first()
    .waitFor()
  if (await beside.getByLabel('Username or email').isVisible()) await enter(beside, 'bob')
  await beside.getByRole('button', { name: 'Yes' }).click()
  expect(await ended).toBe(0)
  expect(await server.command('whoami')).toContain('bob')
})
