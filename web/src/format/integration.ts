import type { Field, Integration, IntegrationChange, Kind, NewIntegration } from '../api/integrations'

/** An integration as its form holds it: every field of its kind, and what is not set is an empty text. */
export interface IntegrationDraft {
  name: string
  per_minute: string
  settings: Record<string, string>
  /** Secrets that are set and shall no longer be: an empty field of a secret keeps it. */
  removed: string[]
}

export const newIntegrationDraft = (kind: Kind): IntegrationDraft => ({
  name: '',
  per_minute: '',
  settings: Object.fromEntries(kind.fields.map(({ name }) => [name, ''])),
  removed: [],
})

/** An integration as its form shows it before anything is changed; secrets are never shown. */
export function integrationDraftOf(kind: Kind, integration: Integration): IntegrationDraft {
  const empty = newIntegrationDraft(kind)
  return {
    ...empty,
    name: integration.name,
    per_minute: integration.per_minute === 0 ? '' : integration.per_minute.toString(),
    settings: { ...empty.settings, ...integration.settings },
  }
}

/** What a form says of a new integration, in the API's terms; it is the console that judges it. */
export function newIntegrationOf(kind: Kind, draft: IntegrationDraft): NewIntegration {
  return {
    name: draft.name,
    kind: kind.name,
    settings: Object.fromEntries(Object.entries(draft.settings).filter(([, value]) => value !== '')),
    per_minute: draft.per_minute === '' ? undefined : Number(draft.per_minute),
  }
}

/** What an edit changed, and nothing else; what is no longer to be is sent empty. */
export function integrationChangeOf(before: IntegrationDraft, after: IntegrationDraft): IntegrationChange {
  const settings = {
    ...Object.fromEntries(after.removed.map((name) => [name, ''])),
    ...Object.fromEntries(Object.entries(after.settings).filter(([name, value]) => value !== before.settings[name])),
  }
  return {
    name: after.name === before.name ? undefined : after.name,
    per_minute: after.per_minute === before.per_minute ? undefined : Number(after.per_minute),
    settings: Object.keys(settings).length === 0 ? undefined : settings,
  }
}

/** What stands in an empty field, for whoever fills it in. */
export function placeholderOf(field: Field, isSet: boolean): string | undefined {
  if (isSet) return 'set; leave empty to keep'
  return field.default ?? field.example
}

/** What stands beneath a field's name. */
export function helpOf({ help, default: standard, choices }: Field): string | undefined {
  const parts = [help?.replace(/\.$/, ''), standard !== undefined && choices === undefined && `Empty is ${standard}`]
  return parts.filter((part) => typeof part === 'string' && part !== '').join('. ') || undefined
}

/** A setting of an integration for people to read; a secret is known to be set, and no more. */
export function settingText(field: Field, { settings, secrets }: Pick<Integration, 'settings' | 'secrets'>): string | undefined {
  if (secrets.includes(field.name)) return 'set, and never shown'
  return settings[field.name]
}

/** Where the repository tells how to set up the far side. */
export const guideOf = (kind: string): string => `docs/integrations/${kind}.md`
