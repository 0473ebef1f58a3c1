import { expect, test } from 'vitest'
import { chartOf } from './chart'
import type { Counts } from './severity'

const none: Counts = { malicious: 0, critical: 0, high: 0, medium: 0, low: 0, unknown: 0 }

test('nothing open draws nothing', () => {
  expect(chartOf([none, none])).toEqual({ most: 0, bands: [] })
  expect(chartOf([])).toEqual({ most: 0, bands: [] })
})

test('bands lie on each other, the worst at the bottom', () => {
  const { most, bands } = chartOf([{ ...none, critical: 1, low: 3 }, { ...none, critical: 2 }])
  expect(most).toBe(4)
  expect(bands).toEqual([
    { severity: 'critical', points: '0,48 300,32 300,64 0,64' },
    { severity: 'low', points: '0,0 300,32 300,32 0,48' },
  ])
})

test('one day is a band across the whole', () => {
  expect(chartOf([{ ...none, high: 1 }]).bands).toEqual([{ severity: 'high', points: '0,0 300,0 300,64 0,64' }])
})
