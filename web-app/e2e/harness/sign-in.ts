import type { Page } from 'playwright-core'
import { passwordOf } from './realm.ts'

/** Fills in Keycloak's own form, on the page that shows it. */
export async function enter(page: Page, user: string, password = passwordOf(user)): Promise<void> {
  await page.getByLabel('Username or email').fill(user)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign In' }).click()
}

/** Opens a page of the app that needs a login, signs in, and comes back to it. */
export async function signIn(page: Page, user: string, path = './'): Promise<void> {
  await page.goto(path)
  await enter(page, user)
  await page.getByRole('button', { name: `Account of ${user}` }).waitFor()
}
