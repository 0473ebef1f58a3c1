/** What is past its due date, from where a user looks; the console has an expected vulnerability that is. */
import { expect, test } from '@playwright/test'
import { screenshot, setting, signIn } from './session'
import { watch } from './watch'

test('what is overdue is reached from the report, narrowed and sent on', async ({ page }) => {
  const vulnerability = setting('PATROL_EXPECT_VULNERABILITY')
  const faults = watch(page, setting('PATROL_URL'))
  const table = page.getByRole('table', { name: 'Overdue' })
  const rows = table.locator('tbody > tr')
  await page.goto('/scans')
  await signIn(page)

  await test.step('the number in the report leads to what it counts', async () => {
    const number = page.getByRole('region', { name: 'Overdue' }).getByRole('link').first()
    const counted = Number((await number.textContent())?.replaceAll(',', ''))
    expect(counted).toBeGreaterThan(0)
    await number.click()
    await expect(page).toHaveTitle('Overdue · Patrol')
    if (counted > 100) {
      await expect(page.getByText('Showing the first 100')).toBeVisible()
      await page.getByRole('button', { name: 'Load more' }).click()
    }
    await expect(page.getByText(`${counted} in all`)).toBeVisible()
    await screenshot(page, 'overdue')
  })

  await test.step('a vulnerability leads to where else it is, and the address holds that', async () => {
    await table.getByRole('link', { name: vulnerability }).first().click()
    await expect(page).toHaveURL(new RegExp(`vulnerability=${vulnerability}`))
    await page.reload()
    await expect(page.getByText(`Only of ${vulnerability}`)).toBeVisible()
    const row = rows.first()
    await expect(row).toContainText(vulnerability)
    await expect(row).toContainText(/Critical|High|Medium|Low|Unknown|Malicious/)
    await expect(row.getByText(/^\d{4}-\d\d-\d\d$/)).toHaveCount(3)
  })

  await test.step('filters that nothing passes say so, and are cleared', async () => {
    await page.getByLabel('Severity').selectOption('malicious')
    await expect(page).toHaveURL(/severity=malicious/)
    await expect(page.getByText('Nothing overdue matches')).toBeVisible()
    await page.getByRole('button', { name: 'Clear' }).click()
    await expect(page).toHaveURL(/\/overdue$/)
    await expect(rows).not.toHaveCount(0)
  })

  await test.step('a node leads to its own', async () => {
    await rows.first().locator('a[href^="/nodes/"]').click()
    await page.getByRole('link', { name: 'What is overdue here' }).click()
    await expect(page).toHaveURL(/\/overdue\?node=/)
    await expect(page.getByText('Only of one node')).toBeVisible()
    await expect(rows).not.toHaveCount(0)
  })

  expect(faults, 'requests to other origins, and errors in the browser').toEqual([])
})
