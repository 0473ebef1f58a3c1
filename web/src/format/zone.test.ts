import { expect, test } from 'vitest'
import { momentOf, readingAt } from './zone'

test.each([
  ['2026-03-12T07:15:00Z', 'UTC', '2026-03-12T07:15'],
  ['2026-03-12T07:15:30Z', 'UTC', '2026-03-12T07:15:30'],
  ['2026-03-12T23:15:00Z', 'Europe/Berlin', '2026-03-13T00:15'],
  ['2026-07-12T23:15:00Z', 'Europe/Berlin', '2026-07-13T01:15'],
  ['2026-03-12T20:00:00Z', 'Asia/Kolkata', '2026-03-13T01:30'],
  ['2026-03-12T07:15:00Z', 'America/New_York', '2026-03-12T03:15'],
  // On either side of the change to summer time.
  ['2026-03-29T00:59:59Z', 'Europe/Berlin', '2026-03-29T01:59:59'],
  ['2026-03-29T01:00:00Z', 'Europe/Berlin', '2026-03-29T03:00'],
  ['2026-03-08T06:59:59Z', 'America/New_York', '2026-03-08T01:59:59'],
  ['2026-03-08T07:00:00Z', 'America/New_York', '2026-03-08T03:00'],
  // And back.
  ['2026-11-01T04:59:59Z', 'America/New_York', '2026-11-01T00:59:59'],
  ['2026-11-01T07:00:00Z', 'America/New_York', '2026-11-01T02:00'],
])('at %s clocks in %s show %s', (moment, zone, reading) => {
  expect(readingAt(moment, zone)).toBe(reading)
  expect(Date.parse(momentOf(reading, zone))).toBe(Date.parse(moment))
})

test.each([
  ['2026-03-29T02:30', 'Europe/Berlin', '2026-03-29T01:30:00.000Z', '2026-03-29T03:30'],
  ['2026-03-08T02:30', 'America/New_York', '2026-03-08T07:30:00.000Z', '2026-03-08T03:30'],
  ['2026-03-08T00:00', 'America/Havana', '2026-03-08T05:00:00.000Z', '2026-03-08T01:00'],
  ['2026-09-06T00:00', 'America/Santiago', '2026-09-06T04:00:00.000Z', '2026-09-06T01:00'],
])('%s, which clocks in %s skip, is %s, when they show %s', (skipped, zone, moment, reading) => {
  expect(momentOf(skipped, zone)).toBe(moment)
  expect(readingAt(moment, zone)).toBe(reading)
})

test.each([
  ['2026-10-25T02:30', 'Europe/Berlin', '2026-10-25T00:30:00.000Z'],
  ['2026-11-01T01:30', 'America/New_York', '2026-11-01T05:30:00.000Z'],
])('%s, which clocks in %s show twice, is %s, the first', (reading, zone, moment) => {
  expect(momentOf(reading, zone)).toBe(moment)
  expect(readingAt(moment, zone)).toBe(reading)
})

test('a zone that is not known counts as UTC while its name is written', () => {
  expect(momentOf('2026-03-12T07:15', 'Europe/Ber')).toBe('2026-03-12T07:15:00.000Z')
  expect(readingAt('2026-03-12T07:15:00Z', '')).toBe('2026-03-12T07:15')
})

test('a year that is being typed is a year, and what is no reading is handed on', () => {
  expect(momentOf('0002-01-01T00:00', 'UTC')).toBe('0002-01-01T00:00:00.000Z')
  expect(readingAt(momentOf('0202-01-01T00:00', 'Europe/Berlin'), 'Europe/Berlin')).toBe('0202-01-01T00:00')
  expect(momentOf('20260-01-01T00:00', 'UTC')).toBe('20260-01-01T00:00')
  expect(readingAt('20260-01-01T00:00', 'UTC')).toBe('20260-01-01T00:00')
})
