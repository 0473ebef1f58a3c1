import { expect, test } from 'vitest'
import { mayOperate } from './session'

test.each([
  ['viewer', false],
  ['operator', true],
  ['admin', true],
  ['', false],
])('the role %j may operate: %j', (role, may) => {
  expect(mayOperate(role)).toBe(may)
})
