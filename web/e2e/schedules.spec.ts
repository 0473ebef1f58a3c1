/** A schedule from its first word to its end, and what somebody sees of it who may only look. */
import { expect, test, type Locator } from '@playwright/test'
import { becomeViewer, screenshot, setting, signIn } from './session'
import { watch } from './watch'

test('a schedule is refused, made, edited and deleted', async ({ page }) => {
  const faults = watch(page, setting('PATROL_URL'))
  const dialog = page.getByRole('dialog')
  const window = (number: number) => dialog.getByRole('group', { name: `Window ${number}` })
  await page.goto('/schedules')
  await signIn(page)

  await test.step('what the console refuses stands at its field, and opens what hides it', async () => {
    await page.getByRole('button', { name: 'New schedule' }).click()
    await dialog.getByLabel('Name').fill('nightly')
    await refuses(dialog, 'When, as cron', '61 3 * * *', /field 1 \(minute\)/, '0 9 * * *')
    await refuses(dialog.locator('form'), 'Time zone', 'Mars/Olympus', /no IANA time zone/, 'Europe/Berlin')
    await refuses(dialog, 'Selector', 'node.colour', /undefined field/, 'node.kind == "host"')
    await dialog.getByText('Advanced').click()
    await dialog.getByLabel('Nothing fires before').fill('2099-06-01T00:00')
    await refuses(dialog, 'Nothing fires after', '2099-05-01T00:00', /is not after starts_at/, '2099-07-01T00:00')
    await refuses(dialog, 'Spread the start over', 'an hour', /is no duration/, '30m')
    await dialog.getByRole('button', { name: 'Add a window' }).click()
    await dialog.getByRole('button', { name: 'Add a window' }).click()
    await refuses(window(2), 'Begins, as cron', '0 25 * * *', /field 2 \(hour\)/, '0 22 * * *')
    await refuses(window(2), 'Lasts', '200h', /a week at most/, '30m')
    await refuses(window(2), 'Time zone', 'Nowhere', /no IANA time zone/, 'UTC')
    await dialog.getByLabel('Limit by label').fill('zone')
    await refuses(dialog, 'Scans at once for each value', '0', /expected number >= 1/, '2')
  })

  await test.step('the preview tells what it would do: windows and dates count', async () => {
    const times = dialog.getByRole('list').last().getByRole('listitem')
    // Monday, 1 June 2099, nine o'clock lies in the hours of work.
    await expect(times.first()).toHaveText(/Mon, 1 Jun 2099, 18:00/)
    await expect(times).toHaveCount(10)
    await screenshot(page, 'new-schedule-advanced')
    await dialog.getByRole('button', { name: 'Create the schedule' }).click()
    await expect(dialog).toBeHidden()
  })

  await test.step('an edit begins with what is there, and may take it away', async () => {
    await page.getByRole('link', { name: 'nightly' }).click()
    await expect(fact(page.getByRole('main'), 'Nothing starts in')).toHaveText(/0 8 \* \* 1-5 for 10 h\s*0 22 \* \* \* for 30 min UTC/)
    await expect(fact(page.getByRole('main'), 'Scans at once by label')).toHaveText('2 for each value of zone')
    await page.getByRole('button', { name: 'Edit' }).click()
    await expect(dialog.getByLabel('Nothing fires before')).toHaveValue('2099-06-01T00:00')
    await expect(window(2).getByLabel('Time zone')).toHaveValue('UTC')
    await dialog.getByLabel('Name').fill('Vulnerability scan of all hosts')
    await dialog.getByRole('button', { name: 'Save the changes' }).click()
    await expect(dialog.getByRole('alert')).toHaveText(/already/)
    await dialog.getByLabel('Name').fill('every morning')
    await dialog.getByLabel('Nothing fires before').fill('')
    await dialog.getByLabel('Limit by label').fill('')
    await dialog.getByLabel('Scans at once for each value').fill('')
    await dialog.getByRole('button', { name: 'Remove window 1' }).click()
    await expect(window(2)).toBeHidden()
    await screenshot(page, 'edit-schedule')
    await dialog.getByRole('button', { name: 'Save the changes' }).click()
    await expect(dialog).toBeHidden()
    await expect(page).toHaveTitle('every morning · Patrol')
    await expect(fact(page.getByRole('main'), 'Nothing starts in')).toHaveText('0 22 * * * for 30 min UTC')
    await expect(page.getByText('Scans at once by label')).toBeHidden()
    await expect(page.getByText('Nothing fires before')).toBeHidden()
    await expect(fact(page.getByRole('main'), 'Nothing fires after')).toHaveText(/1 Jul 2099, 00:00/)
    await page.reload()
    await expect(fact(page.getByRole('main'), 'Spread over')).toHaveText('30 min')
  })

  const address = page.url()
  await test.step('a schedule is deleted once it is said that it is meant', async () => {
    await page.getByRole('button', { name: 'Delete' }).click()
    await expect(dialog).toContainText('Delete every morning?')
    await expect(dialog).toContainText('The record of its runs goes with it. Their scans stay')
    await screenshot(page, 'delete-schedule')
    await dialog.getByRole('button', { name: 'Keep it' }).click()
    await expect(dialog).toBeHidden()
    await page.getByRole('button', { name: 'Delete' }).click()
    await dialog.getByRole('button', { name: 'Delete the schedule' }).click()
    await expect(page).toHaveURL(/\/schedules$/)
    await expect(page.getByRole('table', { name: 'Schedules' }).getByText('Vulnerability scan of all hosts')).toBeVisible()
    await expect(page.getByRole('link', { name: 'every morning' })).toBeHidden()
  })

  expect(faults, 'requests to other origins, and errors in the browser').toEqual([])

  await test.step('its address says that it is gone', async () => {
    await page.goto(address)
    await expect(page.getByRole('alert')).toContainText('there is no schedule')
  })
})

test('who may only look is offered nothing that changes a schedule', async ({ page }) => {
  const faults = watch(page, setting('PATROL_URL'))
  await page.goto('/schedules')
  await signIn(page)
  await expect(page.getByRole('button', { name: 'New schedule' })).toBeVisible()
  await becomeViewer(page, `viewer-${Date.now()}`)
  await page.reload()
  await expect(page.getByRole('switch').first()).toBeDisabled()
  await expect(page.getByRole('button', { name: /New schedule|Run now/ })).toHaveCount(0)
  await screenshot(page, 'schedules-viewer')
  await page.getByRole('link', { name: 'Vulnerability scan of all hosts' }).click()
  await expect(page.getByText('If the run before goes on')).toBeVisible()
  await expect(page.getByRole('main').getByRole('button', { name: /Edit|Delete|Pause|Run now|Cancel/ })).toHaveCount(0)
  expect(faults, 'requests to other origins, and errors in the browser').toEqual([])
})

/** Writes what is refused into a field, waits until that is said beside it, and mends it. */
async function refuses(within: Locator, label: string, wrong: string, said: RegExp, right: string): Promise<void> {
  const field = within.getByLabel(label, { exact: true }).first()
  await field.fill(wrong)
  await expect(field).toHaveAccessibleDescription(said)
  await field.fill(right)
  await expect(field).not.toHaveAccessibleDescription(said)
}

/** The value that stands under a name. */
function fact(page: Locator, name: string): Locator {
  return page.getByRole('term').filter({ hasText: name }).locator('xpath=following-sibling::dd')
}
