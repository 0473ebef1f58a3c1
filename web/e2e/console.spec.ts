/**
 * The main job as a person does it in a browser, against a running console with at least one complete scan and one
 * schedule. It reads PATROL_URL, PATROL_USERNAME, PATROL_PASSWORD and PATROL_EXPECT_VULNERABILITY (an id that the latest
 * complete scan must list); with PATROL_SCREENSHOTS it leaves a picture of every page in that directory.
 */
import { expect, test, type Page } from '@playwright/test'
import { readFile } from 'node:fs/promises'
import { screenshot, setting, signIn } from './session'
import { watch } from './watch'

test('from signing in to a finding, and a schedule read, paused and switched', async ({ page }) => {
  const vulnerability = setting('PATROL_EXPECT_VULNERABILITY')
  const faults = watch(page, setting('PATROL_URL'))

  await test.step('a page asked for without a session leads to the sign-in page', async () => {
    await page.goto('/nodes')
    await expect(page).toHaveURL(/\/sign-in/)
    await screenshot(page, 'sign-in')
  })

  await test.step('signing in leads back to the nodes', async () => {
    await signIn(page)
    await expect(page).toHaveURL(/\/nodes$/)
    await expect(page).toHaveTitle('Nodes · Patrol')
    await expect(page.getByRole('table', { name: 'Nodes' }).getByRole('button', { name: /^Scan now: / }).first()).toBeVisible()
    await screenshot(page, 'nodes')
  })

  await test.step('the report is narrowed by its address, and exported as it stands', async () => {
    await page.getByRole('link', { name: 'Scans' }).click()
    await page.getByLabel('Trigger').selectOption('arrival')
    await page.getByLabel('Changed something').check()
    await expect(page).toHaveURL(/trigger=arrival&changed=true/)
    await page.reload()
    const rows = page.getByRole('table', { name: 'Scans' }).locator('tbody > tr')
    await expect(rows).toHaveCount(1)
    await page.getByRole('button', { name: 'Export the report' }).click()
    const download = page.waitForEvent('download')
    await page.getByRole('menuitem', { name: 'CSV' }).click()
    const file = await readFile(await (await download).path(), 'utf8')
    expect(file.trim().split(/\r?\n/)).toHaveLength(2)
    await page.getByRole('button', { name: 'Clear' }).click()
    await expect(page).toHaveURL(/\/scans$/)
  })

  await test.step('the latest complete scan lists the expected vulnerability', async () => {
    await page.getByRole('link', { name: 'Scans' }).click()
    await expect(page).toHaveTitle('Vulnerability Scans · Patrol')
    const complete = page.getByRole('link', { name: /^Scan of .*, complete$/ }).first()
    await expect(complete).toBeVisible()
    await expect(page.getByRole('region', { name: 'Overdue' })).toBeVisible()
    await expect(page.getByRole('img', { name: /^Open on / })).toBeVisible()
    await screenshot(page, 'scans')
    await complete.click()
    await expect(page).toHaveTitle(/^Scan of .* · Patrol$/)
    const findings = page.getByRole('table', { name: 'Findings' })
    await expect(findings).toHaveAttribute('aria-busy', 'false')
    await screenshot(page, 'scan')
    await loadEveryFinding(page)
    await page.getByLabel('Filter the loaded findings').fill(vulnerability)
    await expect(findings.getByText(vulnerability, { exact: true }).first()).toBeVisible()
    await findings.getByRole('button', { name: 'Show details' }).first().click()
    await expect(findings.getByText('Package URL')).toBeVisible()
    await screenshot(page, 'finding')
    await page.getByRole('tab', { name: /^What changed/ }).click()
    await expect(page).toHaveURL(/view=changes/)
    await expect(page.getByRole('radio', { name: /^Unchanged/ })).toBeAttached()
  })

  await test.step('a new schedule says what it would do before it is saved', async () => {
    await page.getByRole('link', { name: 'Schedules' }).click()
    await page.getByRole('button', { name: 'New schedule' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Which nodes').selectOption('All hosts')
    await expect(dialog.getByText('1 node matches now')).toBeVisible()
    await expect(dialog.getByRole('listitem')).toHaveCount(11)
    await screenshot(page, 'new-schedule')
    await dialog.getByRole('button', { name: 'Close' }).last().click()
  })

  await test.step('a schedule shows its runs, is paused with a reason, and resumed', async () => {
    await page.getByRole('link', { name: 'Vulnerability scan of all hosts' }).click()
    await expect(page.getByRole('table', { name: 'Runs' }).getByText(/complete|skipped/).first()).toBeVisible()
    await page.getByRole('button', { name: 'Pause' }).click()
    await page.getByLabel('Why').fill('the storage is moved')
    await page.getByRole('button', { name: 'Pause the schedule' }).click()
    await expect(page.getByRole('note').filter({ hasText: 'the storage is moved' })).toBeVisible()
    await screenshot(page, 'schedule')
    await page.getByRole('button', { name: 'Resume' }).click()
    await expect(page.getByRole('button', { name: 'Pause' })).toBeVisible()
  })

  await test.step('a schedule that is switched stays so after a reload', async () => {
    await page.getByRole('link', { name: 'Schedules' }).click()
    await expect(page).toHaveTitle('Schedules · Patrol')
    const toggle = page.getByRole('switch').first()
    await expect(toggle).toBeEnabled()
    const before = await toggle.isChecked()
    await flip(page)
    await page.reload()
    await expect(toggle).toBeChecked({ checked: !before })
    await screenshot(page, 'schedules')
    await flip(page)
    await expect(toggle).toBeChecked({ checked: before })
  })

  await test.step('signing out ends the session', async () => {
    await page.getByRole('button', { name: setting('PATROL_USERNAME') }).click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await expect(page).toHaveURL(/\/sign-in/)
  })

  expect(faults, 'requests to other origins, and errors in the browser').toEqual([])
})

async function loadEveryFinding(page: Page): Promise<void> {
  const more = page.getByRole('button', { name: 'Load more' })
  const rows = page.getByRole('table', { name: 'Findings' }).locator('tbody > tr')
  while (await more.isVisible()) {
    const shown = await rows.count()
    await more.click()
    // In the step that brings the rows, the button is ready again, or gone.
    await expect.poll(() => rows.count()).toBeGreaterThan(shown)
  }
}

/** Switches the first schedule, and waits until the console has said that it did. */
async function flip(page: Page): Promise<void> {
  const saved = page.waitForResponse((response) => response.request().method() === 'PATCH')
  // The input itself is hidden beneath what looks like the switch, as screen readers and keyboards do not mind.
  await page.getByRole('switch').first().press('Space')
  expect((await saved).ok()).toBe(true)
}
