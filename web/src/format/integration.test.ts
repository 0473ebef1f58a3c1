import { describe, expect, test } from 'vitest'
import type { Field, Integration, Kind } from '../api/integrations'
import { helpOf, integrationChangeOf, integrationDraftOf, newIntegrationDraft, newIntegrationOf, placeholderOf, settingText, type IntegrationDraft } from './integration'

const field = (name: string, more: Partial<Field> = {}): Field => ({ name, label: name, required: false, secret: false, multiline: false, ...more })

const kind: Kind = {
  name: 'http',
  title: 'HTTP',
  tracks: false,
  records: false,
  fields: [
    field('url', { required: true, secret: true, example: 'https://hooks.example.com' }),
    field('method', { default: 'POST', choices: ['POST', 'PUT'], help: 'What the receiver expects.' }),
    field('signing_secret', { secret: true }),
    field('port', { default: '443', help: 'Where it listens.' }),
  ],
}

const integration: Integration = {
  id: '0190',
  name: 'hook',
  kind: 'http',
  enabled: true,
  per_minute: 30,
  settings: { method: 'PUT' },
  secrets: ['signing_secret', 'url'],
  state: 'healthy',
  pending: 0,
  dead: 0,
  created_at: '2026-05-01T00:00:00Z',
}

/** What reaches the console: what is undefined does not. */
const sent = (body: object): object => JSON.parse(JSON.stringify(body)) as object

test('a new integration says what its form says, and nothing of what is empty', () => {
  const draft = newIntegrationDraft(kind)
  expect(Object.keys(draft.settings)).toEqual(['url', 'method', 'signing_secret', 'port'])
  expect(sent(newIntegrationOf(kind, { ...draft, name: 'hook', settings: { ...draft.settings, url: 'https://x.example' } }))).toEqual({
    name: 'hook',
    kind: 'http',
    settings: { url: 'https://x.example' },
  })
  expect(newIntegrationOf(kind, { ...draft, per_minute: '60' }).per_minute).toBe(60)
})

test('the form of an integration shows no secret', () => {
  expect(integrationDraftOf(kind, integration)).toEqual({
    name: 'hook',
    per_minute: '30',
    settings: { url: '', method: 'PUT', signing_secret: '', port: '' },
    removed: [],
  })
})

describe('integrationChangeOf', () => {
  const before = integrationDraftOf(kind, integration)
  const cases: [string, Partial<IntegrationDraft>, object][] = [
    ['nothing', {}, {}],
    ['the name', { name: 'web hook' }, { name: 'web hook' }],
    ['any number in a minute', { per_minute: '' }, { per_minute: 0 }],
    ['a setting', { settings: { ...before.settings, port: '8443' } }, { settings: { port: '8443' } }],
    ['a setting to none', { settings: { ...before.settings, method: '' } }, { settings: { method: '' } }],
    ['a secret', { settings: { ...before.settings, url: 'https://y.example' } }, { settings: { url: 'https://y.example' } }],
    ['a secret to none', { removed: ['signing_secret'] }, { settings: { signing_secret: '' } }],
  ]
  test.each(cases)('%s', (_what, edit, change) => {
    expect(sent(integrationChangeOf(before, { ...before, ...edit }))).toEqual(change)
  })
})

test.each([
  ['url', true, 'set; leave empty to keep'],
  ['url', false, 'https://hooks.example.com'],
  ['port', false, '443'],
  ['signing_secret', false, undefined],
])('in the empty field %s, set: %j, stands %j', (name, isSet, placeholder) => {
  expect(placeholderOf(fieldNamed(name), isSet)).toBe(placeholder)
})

test.each([
  ['url', undefined],
  ['method', 'What the receiver expects'],
  ['port', 'Where it listens. Empty is 443'],
])('beneath %s stands %j', (name, help) => {
  expect(helpOf(fieldNamed(name))).toBe(help)
})

test.each([
  ['url', 'set, and never shown'],
  ['method', 'PUT'],
  ['port', undefined],
])('of the setting %s people read %j', (name, text) => {
  expect(settingText(fieldNamed(name), integration)).toBe(text)
})

function fieldNamed(name: string): Field {
  return kind.fields.find((each) => each.name === name) ?? field(name)
}
