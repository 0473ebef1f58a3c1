import { expect, type Page } from '@playwright/test'
import { join } from 'node:path'

export function setting(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: the test needs it to find the console and to sign in`)
  return value
}

export async function screenshot(page: Page, name: string): Promise<void> {
  const directory = process.env.PATROL_SCREENSHOTS
  if (directory) await page.screenshot({ path: join(directory, `${name}.png`), fullPage: true })
}

/** Signs in where a page without a session has led to. */
export async function signIn(page: Page): Promise<void> {
  await expect(page).toHaveURL(/\/sign-in/)
  await page.getByLabel('Username').fill(setting('PATROL_USERNAME'))
  await page.getByLabel('Password', { exact: true }).fill(setting('PATROL_PASSWORD'))
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** Makes a user who may look and no more, and has the page be theirs. */
export async function becomeViewer(page: Page, username: string): Promise<void> {
  const invited = await page.request.post('/api/v1/users', { data: { username, role: 'viewer' } })
  expect(invited.ok(), await invited.text()).toBe(true)
  const { token } = (await invited.json()) as { token: string }
  const accepted = await page.request.post('/api/v1/session/invitation', { data: { token, password: 'correct horse battery' } })
  expect(accepted.ok(), await accepted.text()).toBe(true)
}
