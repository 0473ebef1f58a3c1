/** Notifications from nothing to a rule: the console has failed to update its feed, and a receiver waits for a test. */
import { expect, test, type Page } from '@playwright/test'
import { becomeViewer, screenshot, setting, signIn } from './session'
import { watch } from './watch'

test('an integration is tested and added, and a rule tells it', async ({ page }) => {
  const faults = watch(page, setting('PATROL_URL'))
  const dialog = page.getByRole('dialog')
  const field = (name: string) => dialog.getByRole('textbox', { name })
  await page.goto('/integrations')
  await signIn(page)

  await test.step('a kind says what it asks for, and what is refused stands at its field', async () => {
    await page.getByRole('button', { name: 'Add integration' }).first().click()
    await dialog.getByRole('button', { name: /^HTTP/ }).click()
    await field('URL').fill('ftp://files.example')
    await dialog.getByRole('button', { name: 'Send test' }).click()
    await expect(field('URL')).toHaveAccessibleDescription(/is no URL/)
  })

  await test.step('a test before it is saved shows what both sides said', async () => {
    await field('Name').fill('my program')
    await field('URL').fill(setting('PATROL_RECEIVER'))
    await dialog.getByRole('button', { name: 'Send test' }).click()
    await expect(dialog.getByText('The test arrived')).toBeVisible()
    await expect(dialog.getByRole('region', { name: 'Request' })).toContainText('Test of Patrol')
    await expect(dialog.getByRole('region', { name: 'Response' })).toContainText('much obliged')
    await screenshot(page, 'integration-tested')
    await dialog.getByRole('button', { name: 'Add the integration' }).click()
    await expect(dialog).toBeHidden()
  })

  await test.step('a secret is not shown again, and an edit keeps it', async () => {
    await page.getByRole('link', { name: 'my program' }).click()
    await expect(page.getByRole('definition').filter({ hasText: 'set, and never shown' })).toBeVisible()
    await page.getByRole('button', { name: 'Edit' }).click()
    await expect(field('URL')).toHaveAttribute('placeholder', /leave empty to keep/)
    await field('Name').fill('our program')
    await dialog.getByRole('button', { name: 'Save the changes' }).click()
    await expect(page).toHaveTitle('our program · Patrol')
    await page.getByRole('button', { name: 'Send test' }).click()
    await expect(page.getByText('The test arrived')).toBeVisible()
  })

  await test.step('a rule begins from a ready-made one, and its preview follows what is written', async () => {
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Notifications' }).click()
    await page.getByRole('link', { name: 'Rules' }).click()
    await page.getByRole('button', { name: 'New rule' }).first().click()
    await dialog.getByRole('button', { name: /^Scan failed/ }).click()
    const preview = dialog.getByRole('region', { name: 'What it would tell' })
    await expect(preview.getByRole('article')).toHaveCount(1)
    await choose(page, 'What happens', 'feed.update_failed')
    await expect(preview).toContainText(/\d+ notifications? of the last/)
    await field('Only if').fill('event.colour == "red"')
    await expect(field('Only if')).toHaveAccessibleDescription(/undefined field/)
    await field('Only if').fill('event.type == "feed.update_failed"')
    await expect(field('Only if')).not.toHaveAccessibleDescription(/undefined field/)
    await choose(page, 'Where to', 'our program')
    await dialog.getByText('Advanced').click()
    await field('Title').fill('Look: {{.Title}}')
    await expect(preview.getByRole('article').first()).toContainText('Look: ')
    await screenshot(page, 'new-rule')
    await dialog.getByRole('button', { name: 'Create the rule' }).click()
    await expect(dialog).toBeHidden()
    await expect(page.getByRole('switch', { name: 'Scan failed is enabled' })).toBeChecked()
  })

  await test.step('an integration that a rule tells is not deleted', async () => {
    await page.getByRole('link', { name: 'our program' }).click()
    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByRole('button', { name: 'Delete the integration' }).click()
    await expect(dialog.getByRole('alert')).toContainText('Scan failed')
    await dialog.getByRole('button', { name: 'Keep it' }).click()
  })

  await test.step('who may only look is offered nothing that changes any of it', async () => {
    await becomeViewer(page, 'looks-on')
    await page.reload()
    await expect(page.getByRole('heading', { name: 'our program' })).toBeVisible()
    await expect(page.getByRole('main').getByRole('button', { name: /Edit|Delete|Disable|Send/ })).toHaveCount(0)
    await page.goto('/rules')
    await expect(page.getByRole('switch').first()).toBeDisabled()
    await expect(page.getByRole('button', { name: 'New rule' })).toHaveCount(0)
    await page.goto('/deliveries?state=dead')
    await expect(page.getByLabel('State')).toHaveValue('dead')
  })

  expect(faults, 'requests to other origins, and errors in the browser').toEqual([])
})

/** Chooses one of many in a field of the dialog that takes several. */
async function choose(page: Page, label: string, option: string): Promise<void> {
  await page.getByRole('dialog').getByRole('combobox', { name: label }).or(page.getByRole('dialog').getByRole('textbox', { name: label })).first().fill(option)
  await page.getByRole('option', { name: option }).first().click()
  await page.keyboard.press('Escape')
}
