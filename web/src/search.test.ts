import { expect, test } from 'vitest'
import { nodesSearch, pathWithin } from './search'

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
