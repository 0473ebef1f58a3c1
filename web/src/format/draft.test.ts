import { describe, expect, test } from 'vitest'
import type { Schedule } from '../api/schedules'
import { changeOf, definitionOf, draftOf, isAdvanced, newDraft, newWindow, type Draft } from './draft'
import { momentOf } from './zone'

const plain = newDraft('Europe/Berlin')

const full: Schedule = {
  id: '0190',
  name: 'production, nightly',
  cron: '30 2 * * *',
  time_zone: 'Europe/Berlin',
  selector: 'node.kind == "host"',
  enabled: true,
  overlap: 'skip',
  catch_up_window: '12h',
  run_timeout: '8h',
  spread: '1h',
  max_concurrent: 200,
  retries: 0,
  per_label: { key: 'zone', max: 20 },
  maintenance_windows: [{ cron: '0 8 * * 1-5', duration: '10h' }, { cron: '@daily', duration: '1h', time_zone: 'UTC' }],
  starts_at: '2026-07-01T00:00:00.000Z',
  ends_at: '2026-12-01T00:00:00.000Z',
  missed: 0,
  created_at: '2026-05-01T00:00:00Z',
}

/** What reaches the console: what is undefined does not. */
const sent = (body: object): object => JSON.parse(JSON.stringify(body)) as object

describe('definitionOf', () => {
  test('leaves out what is empty', () => {
    expect(sent(definitionOf({ ...plain, name: 'nightly' }))).toEqual({
      name: 'nightly',
      cron: '0 3 * * *',
      time_zone: 'Europe/Berlin',
      selector: 'true',
      enabled: true,
      overlap: 'allow',
      catch_up_window: '168h',
      run_timeout: '24h',
      retries: 2,
      maintenance_windows: [],
    })
  })

  test('sends half a limit, for the console to say what is missing', () => {
    expect(definitionOf({ ...plain, label: 'zone' }).per_label).toEqual({ key: 'zone', max: 0 })
    expect(definitionOf({ ...plain, most_per_label: '3' }).per_label).toEqual({ key: '', max: 3 })
  })
})

test('a schedule goes through its form unharmed', () => {
  expect(full).toMatchObject(sent(definitionOf(draftOf(full))))
})

describe('changeOf', () => {
  const before = draftOf(full)
  const cases: [string, Partial<Draft>, object][] = [
    ['nothing', {}, {}],
    ['a text', { cron: '@hourly' }, { cron: '@hourly' }],
    ['a number to zero', { retries: '0', max_concurrent: '0' }, { max_concurrent: 0 }],
    ['a length and a number to none', { spread: '', max_concurrent: '' }, { spread: '', max_concurrent: 0 }],
    ['a limit and dates to none', { label: '', most_per_label: '', starts_at: '', ends_at: '' }, { clear: ['per_label', 'starts_at', 'ends_at'] }],
    ['one of the windows', { maintenance_windows: before.maintenance_windows.slice(0, 1) }, { maintenance_windows: [{ cron: '0 8 * * 1-5', duration: '10h' }] }],
    ['all of the windows', { maintenance_windows: [] }, { maintenance_windows: [] }],
    ['the zone', { time_zone: 'UTC' }, { time_zone: 'UTC' }],
    ['a date', { ends_at: '2026-11-30T23:00:00.000Z' }, { ends_at: '2026-11-30T23:00:00.000Z' }],
  ]
  test.each(cases)('%s', (_what, edit, change) => {
    expect(sent(changeOf(before, { ...before, ...edit }))).toEqual(change)
  })

  test('nothing, if a date is set back that was written in another way', () => {
    const other = draftOf({ ...full, starts_at: '2026-07-01T02:00:00+02:00' })
    expect(sent(changeOf(other, { ...other, starts_at: momentOf('2026-07-01T02:00', 'Europe/Berlin') }))).toEqual({})
  })
})

test('isAdvanced', () => {
  expect(isAdvanced({ ...plain, name: 'weekly', cron: '@weekly', selector: 'false', enabled: false })).toBe(false)
  expect(isAdvanced({ ...plain, maintenance_windows: [newWindow] })).toBe(true)
  expect(isAdvanced({ ...plain, retries: '3' })).toBe(true)
})
