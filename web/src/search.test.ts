import { expect, test } from 'vitest'
import { deliveriesSearch, isNarrowed, nodesSearch, overdueSearch, pathWithin, reportSearch } from './search'

test.each([
  ['/scans/018f?severity=high', '/scans/018f?severity=high'],
  ['/', '/'],
  [undefined, undefined],
  ['', undefined],
  ['https://elsewhere.example/', undefined],
  ['//elsewhere.example/', undefined],
  ['/\\elsewhere.example/', undefined],
  ['javascript:alert(1)', undefined],
])('pathWithin(%j) is %j', (target, path) => {
  expect(pathWithin(target)).toBe(path)
})

test('an address keeps the filters that exist and loses those that do not', () => {
  expect(nodesSearch({ kind: 'host', state: 'asleep' })).toEqual({ kind: 'host', state: undefined })
})

test.each([
  [{ from: '2026-05-01', to: 'yesterday' }, { from: '2026-05-01' }],
  [{ from: '2026-99-01' }, {}],
  [{ changed: true, worst: 'high', trigger: 'whim' }, { changed: true, worst: 'high' }],
  [{ changed: 'yes', run: 7, schedule: '018f' }, { schedule: '018f' }],
])('of %j the report takes %j', (search, filter) => {
  expect(JSON.parse(JSON.stringify(reportSearch(search)))).toEqual(filter)
})

test.each([
  [{ severity: 'high', kev: true, fixable: true }, { severity: 'high', kev: true, fixable: true }],
  [{ severity: 'dire', kev: 'true', fixable: false, node: 7 }, {}],
  [{ vulnerability: 'CVE-2024-28757', package: '', overdue: false }, { vulnerability: 'CVE-2024-28757' }],
])('of %j what is overdue takes %j', (search, filter) => {
  expect(JSON.parse(JSON.stringify(overdueSearch(search)))).toEqual(filter)
})

test('of an address deliveries take the states that there are', () => {
  expect(JSON.parse(JSON.stringify(deliveriesSearch({ integration: '0190', rule: 7, state: 'dead' })))).toEqual({ integration: '0190', state: 'dead' })
  expect(deliveriesSearch({ state: 'lost' }).state).toBeUndefined()
})

test('a filter of which nothing is left narrows nothing', () => {
  expect(isNarrowed(overdueSearch({ kev: false }))).toBe(false)
  expect(isNarrowed(overdueSearch({ kev: true }))).toBe(true)
})
