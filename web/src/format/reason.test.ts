import { expect, test } from 'vitest'
import { openedText } from './reason'

const opened = '2026-08-21T12:00:00Z'

test.each([
  ['first_scan', opened, 'there at the first scan'],
  ['installed', opened, 'a package was installed'],
  ['disclosed', '2026-03-12T23:59:59Z', 'newly disclosed in a package deployed on 2026-03-12'],
  ['disclosed', '2026-08-22T12:00:00Z', 'newly disclosed'],
  ['disclosed', null, 'newly disclosed'],
  ['something new', null, 'something new'],
])('%s, deployed at %s', (because, deployed, text) => {
  expect(openedText({ because, opened_at: opened, deployed_at: deployed })).toBe(text)
})
