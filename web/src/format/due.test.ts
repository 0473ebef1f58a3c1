import { expect, test } from 'vitest'
import { dueLine } from './due'

const none = { malicious_days: 0, critical_days: 0, high_days: 0, medium_days: 0, low_days: 0, unknown_days: 0, kev_days: 0 }

test('dueLine says the terms that there are', () => {
  expect(dueLine({ ...none, malicious_days: 1, critical_days: 7, low_days: 3650, kev_days: 14 })).toBe(
    'malicious 1 day, critical 7 days, low 3,650 days, listed in CISA’s KEV 14 days',
  )
  expect(dueLine(none)).toBe('nothing has a due date')
})
