import { expect, test } from 'vitest'
import { mayAdminister, mayOperate } from './session'

test.each([
  ['viewer', false],
  ['operator', true],
  ['admin', true],
  ['', false],
])('the role %j may operate: %j', (role, may) => {
  expect(mayOperate(role)).toBe(may)
})

test.each([
  ['operator', false],
  ['admin', true],
])('the role %j may administer: %j', (role, may) => {
  expect(mayAdminister(role)).toBe(may)
})
