import { defineConfig } from '@playwright/test'

/** The browser is the system's own: Playwright downloads none. */
export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: 'list',
  workers: 1,
  // Each is driven against a console of its own.
  projects: [
    { name: 'scans', testIgnore: 'notifications.spec.ts' },
    { name: 'notifications', testMatch: 'notifications.spec.ts' },
  ],
  use: {
    baseURL: process.env.PATROL_URL,
    ignoreHTTPSErrors: true,
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
})
