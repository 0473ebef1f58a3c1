import type { ConsoleMessage, Page } from '@playwright/test'

/**
 * Collects what must never happen while the console is used: a request to another origin, an error in the browser's
 * console, an exception that nobody caught. The list grows as the page is used.
 */
export function watch(page: Page, url: string): string[] {
  const faults: string[] = []
  const { origin } = new URL(url)
  page.on('request', (request) => {
    const target = new URL(request.url())
    if (target.protocol !== 'data:' && target.origin !== origin) faults.push(`request to another origin: ${request.url()}`)
  })
  page.on('console', (message) => {
    if (message.type() === 'error' && !isSignedOut(message) && !isRefused(message)) faults.push(`console error: ${message.text()} (${message.location().url})`)
  })
  page.on('pageerror', (error) => {
    faults.push(`uncaught: ${error.message}`)
  })
  return faults
}

/** Chromium logs every 401; asking who is signed in while nobody is answers one, and that is how the page finds out. */
function isSignedOut(message: ConsoleMessage): boolean {
  return /\b401\b/.test(message.text()) && message.location().url.endsWith('/api/v1/session')
}

/** And what is refused of something that is being written: it is judged before it is whole. */
function isRefused(message: ConsoleMessage): boolean {
  return /\b(409|422)\b/.test(message.text()) && /\/api\/v1\/(schedules|integrations|rules)/.test(message.location().url)
}
