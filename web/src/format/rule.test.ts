import { expect, test } from 'vitest'
import type { EventType, RuleDefinition } from '../api/rules'
import { isAbout, isAboutFindings, isAdvancedRule, newQuiet, newRuleDraft, paceText, previewText, quietText, ruleDefinitionOf, ruleDraftOf, switched, typeGroups } from './rule'

const full: RuleDefinition = {
  name: 'nights off',
  enabled: true,
  types: ['occurrence.opened', 'scan.*'],
  when: 'findings.exists(f, f.kev)',
  team: 'payments',
  min_nodes: 3,
  group_by: 'node',
  limit: 20,
  digest: '0 8 * * *',
  time_zone: 'Europe/Berlin',
  even_if_empty: true,
  quiet: [{ days: ['sat', 'sun'], from: '00:00', to: '00:00' }, { from: '22:00', to: '07:00' }],
  resolved: true,
  title: '{{.Severity}}',
  text: '{{.Title}}',
  integrations: ['0190'],
}

const plain = newRuleDraft('Europe/Berlin')

const types: EventType[] = [
  { name: 'occurrence.opened', doc: 'A finding came.', findings: true },
  { name: 'occurrence.overdue', doc: 'It is overdue.', findings: true },
  { name: 'scan.failed', doc: 'A scan failed.', findings: false },
  { name: 'scan.completed', doc: 'A scan ended.', findings: false },
  { name: 'settings.changed', doc: 'Settings changed.', findings: false },
]

/** What reaches the console: what is undefined does not. */
const sent = (body: object): object => JSON.parse(JSON.stringify(body)) as object

test('a rule goes through its form unharmed', () => {
  expect(sent(ruleDefinitionOf(ruleDraftOf(full)))).toEqual(full)
})

test('an empty form says what it must, and the standard', () => {
  expect(sent(ruleDefinitionOf(plain))).toEqual({
    name: '',
    enabled: true,
    types: [],
    group_by: 'vulnerability',
    limit: 100,
    time_zone: 'Europe/Berlin',
    quiet: [],
    integrations: [],
  })
})

test('a rule is switched with all that it says', () => {
  const rule = { ...full, id: '0191', created_at: '2026-05-01T00:00:00Z', error: 'no such key' }
  expect(sent(switched(rule, false))).toEqual({ ...full, enabled: false })
})

test('isAdvancedRule', () => {
  expect(isAdvancedRule({ ...plain, name: 'x', types: ['scan.*'], digest: '@daily', resolved: true })).toBe(false)
  expect(isAdvancedRule({ ...plain, quiet: [newQuiet] })).toBe(true)
  expect(isAdvancedRule({ ...plain, title: '{{.Title}}' })).toBe(true)
  expect(ruleDraftOf({ ...full, limit: 100 }).limit).toBe('')
})

test('a rule is about something if it names a type, or is a heartbeat', () => {
  expect(isAbout(plain)).toBe(false)
  expect(isAbout({ ...plain, types: ['scan.*'] })).toBe(true)
  expect(isAbout({ ...plain, even_if_empty: true })).toBe(true)
})

test.each([
  [['scan.failed'], false],
  [['scan.failed', 'occurrence.overdue'], true],
  [['occ*'], true],
  [['*'], true],
  [[], false],
])('%j is about findings: %j', (chosen, is) => {
  expect(isAboutFindings(chosen, types)).toBe(is)
})

test('types are chosen by what they are about, and what is written otherwise stays', () => {
  expect(typeGroups(types, ['scan.failed', '*.failed'])).toEqual([
    { group: 'other patterns', items: ['*.failed'] },
    { group: 'occurrence', items: ['occurrence.*', 'occurrence.opened', 'occurrence.overdue'] },
    { group: 'scan', items: ['scan.*', 'scan.failed', 'scan.completed'] },
    { group: 'settings', items: ['settings.changed'] },
  ])
})

test.each([
  [undefined, 'at once'],
  ['0 8 * * *', '0 8 * * *, UTC'],
  ['@hourly', 'every hour, UTC'],
])('with the digest %j a rule tells %s', (digest, text) => {
  expect(paceText({ digest, time_zone: 'UTC' })).toBe(text)
})

test('quietText', () => {
  expect(quietText({ from: '22:00', to: '07:00' })).toBe('22:00 to 07:00, each day')
  expect(quietText({ days: ['sat', 'sun'], from: '08:00', to: '20:00' })).toBe('08:00 to 20:00, on Sat, Sun')
})

test.each([
  [{ events: 0, matters: 0, notifications: [], example: true }, 'Nothing has happened yet. In the rule’s words:'],
  [{ events: 500, matters: 0, notifications: [], example: true }, 'Nothing of the last 500 events matters to it. In its words:'],
  [{ events: 1, matters: 1, notifications: [], example: false }, '1 notification of the last event, before limit and digest. The newest:'],
])('previewText(%j)', (preview, text) => {
  expect(previewText(preview)).toBe(text)
})
