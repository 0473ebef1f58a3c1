import { describe, expect, test } from 'vitest'
import { age, day, dayAfter, days, duration, exactTime, lastDayBy, localTime, relativeTime, spanText } from './time'

const now = Date.parse('2026-11-21T12:00:00Z')

describe('relativeTime', () => {
  test.each([
    ['2026-11-21T12:00:03Z', 'just now'],
    ['2026-11-21T11:59:55Z', 'just now'],
    ['2026-11-21T11:59:01Z', 'just now'],
    ['2026-11-21T12:00:40Z', 'in under 1 min'],
    ['2026-11-21T11:58:59Z', '1 min ago'],
    ['2026-11-21T14:30:00Z', 'in 2 hr'],
    ['2026-11-19T11:00:00Z', '2 days ago'],
    ['2026-03-12T07:15:00Z', '8 mo ago'],
    ['2024-11-01T00:00:00Z', '2 yr ago'],
  ])('%s is %s', (moment, words) => {
    expect(relativeTime(moment, now)).toBe(words)
  })
})

describe('age', () => {
  test.each([
    ['2026-03-12T07:15:00Z', '8 months'],
    ['2026-11-21T11:59:58Z', 'less than a minute'],
    ['2026-11-21T13:00:00Z', 'less than a minute'],
  ])('%s is %s old', (moment, words) => {
    expect(age(moment, now)).toBe(words)
  })
})

describe('duration', () => {
  test.each([
    [-5, '0 s'],
    [0, '0.0 s'],
    [449, '0.4 s'],
    [9_999, '9.9 s'],
    [12_800, '12 s'],
    [185_000, '3 min 5 s'],
    [3_720_000, '1 h 2 min'],
  ])('%i ms is %s', (milliseconds, words) => {
    expect(duration(milliseconds)).toBe(words)
  })
})

test('exactTime and day are UTC, localTime follows the zone', () => {
  const moment = '2026-03-12T07:15:00.123456Z'
  expect(exactTime(moment)).toBe('2026-03-12 07:15:00 UTC')
  expect(day(moment)).toBe('2026-03-12')
  expect(localTime(moment, 'Europe/Berlin')).toBe('12 Mar 2026, 08:15:00 CET')
})

test.each([
  ['2026-02-28', '2026-03-01'],
  ['2026-12-31', '2027-01-01'],
])('the day after %s is %s', (date, next) => {
  expect(dayAfter(date)).toBe(next)
})

test.each([
  [0.01, 'under 1 h'],
  [1.25, '30 h'],
  [3.46, '3.5 days'],
  [41.7, '42 days'],
])('%d days are %s', (number, text) => {
  expect(days(number)).toBe(text)
})

test.each([
  ['168h', '7 days'],
  ['24h', '24 h'],
  ['36h', '36 h'],
  ['48h0m0s', '2 days'],
  ['1h30m', '1 h 30 min'],
  ['90s', '90 s'],
  ['0s', '0s'],
  ['', ''],
  ['1.5h', '1.5h'],
])('spanText(%j) is %j', (written, text) => {
  expect(spanText(written)).toBe(text)
})

test.each([
  ['2026-03-13T00:00:00Z', '2026-03-12'],
  ['2026-03-13T00:00:01Z', '2026-03-13'],
  ['2026-01-01T00:00:00Z', '2025-12-31'],
])('the last day that ends by %s is %s', (moment, date) => {
  expect(lastDayBy(moment)).toBe(date)
})
