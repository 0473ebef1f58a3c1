import { expect, test } from 'vitest'
import { deliveryStates } from '../api/deliveries'
import { attemptsText, deliveryStateNames, tookText } from './delivery'

test('every state has a name of its own', () => {
  expect(new Set(deliveryStates.map((state) => deliveryStateNames[state])).size).toBe(deliveryStates.length)
})

test.each([
  [0, 'not tried yet'],
  [1, '1 attempt'],
  [12, '12 attempts'],
])('attemptsText(%d) is %j', (attempts, text) => {
  expect(attemptsText(attempts)).toBe(text)
})

test.each([
  [0.4, '0 ms'],
  [35.2, '35 ms'],
  [2_449, '2.4 s'],
])('tookText(%d) is %j', (milliseconds, text) => {
  expect(tookText(milliseconds)).toBe(text)
})
