import { expect } from 'vitest'
import { loginTest as test } from '../harness/fixtures.ts'
import { enter, signIn } from '../harness/sign-in.ts'

const heading = (name: string) => ['heading', { name, level: 1 }] as const

test('1: a login from a deep link comes back to it', async ({ page, server }) => {
  await page.goto('jobs?phase=ERROR&q=m13')
  await enter(page, 'alice')
  await page.getByRole(...heading('Jobs')).waitFor()
  expect(page.url()).toBe(`${server.address}/app/jobs?phase=ERROR&q=m13`)
  expect(await page.getByRole('searchbox').inputValue()).toBe('m13')
  expect(await page.getByRole('button', { name: /^Failed/ }).getAttribute('aria-pressed')).toBe('true')
})

test('2: a wrong password is told, and the right one goes on', async ({ page }) => {
  await page.goto('profile')
  await enter(page, 'alice', 'not hers')
  await page.getByText('Invalid username or password.').waitFor()
  await enter(page, 'alice')
  await page.getByRole(...heading('Profile')).waitFor()
  await page.getByRole('heading', { name: 'alice' }).waitFor()
})

test('3: somebody without a role is told so, and is not let in', async ({ page, guard }) => {
  guard.expect(/status of 403/)
  await page.goto('jobs')
  await enter(page, 'norole')
  await page.getByRole('heading', { level: 1 }).waitFor()
  expect(new URL(page.url()).pathname).toBe('/account/callback')
  expect(await page.getByRole('main').innerText()).toMatch(/role/i)
  await page.getByRole('link', { name: 'Sign in' }).waitFor()
})

test('4: a login that took too long can begin anew and comes back', async ({ page, person, guard }) => {
  guard.expect(/status of 400/)
  await page.goto('jobs?q=slow')
  await page.getByLabel('Password', { exact: true }).waitFor()
  // As the browser does ten minutes after the login began.
  await person.context.clearCookies({ name: /login/ })
  await enter(page, 'alice')
  await page.getByText(/expired/).waitFor()
  await page.getByRole('link', { name: 'Sign in' }).click()
  await page.getByRole('button', { name: 'Account of alice' }).waitFor()
})

test('5: signing out in one tab signs out in the other', async ({ page, person }) => {
  await signIn(page, 'bob', 'jobs')
  const other = await person.context.newPage()
  await other.goto('profile')
  await other.getByRole('heading', { name: 'bob' }).waitFor()
  await page.getByRole('button', { name: 'Account of bob' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.getByLabel('Username or email').waitFor()
  await other.getByRole('heading', { name: 'You are signed out' }).waitFor()
  expect(await other.getByText('bob').count()).toBe(0)
  // Not even the provider knows them any more.
  await other.getByRole('link', { name: 'Sign in' }).click()
  await other.getByLabel('Username or email').waitFor()
})
