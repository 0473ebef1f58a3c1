import type { EventType, GroupBy, Quiet, Rule, RuleDefinition, RulePreview, Weekday } from '../api/rules'

/** A rule as its form holds it: in the words of the API, but what may be absent is an empty text. */
export interface RuleDraft {
  name: string
  enabled: boolean
  types: string[]
  when: string
  team: string
  min_nodes: string
  group_by: GroupBy
  limit: string
  digest: string
  time_zone: string
  even_if_empty: boolean
  quiet: QuietDraft[]
  resolved: boolean
  title: string
  text: string
  integrations: string[]
}

/** No day is each of them. */
export type QuietDraft = Required<Quiet>

export const weekdays: Weekday[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

export const weekdayNames: Record<Weekday, string> = { mon: 'Mon', tue: 'Tue', wed: 'Wed', thu: 'Thu', fri: 'Fri', sat: 'Sat', sun: 'Sun' }

export const groupings: GroupBy[] = ['vulnerability', 'node', 'scan', 'occurrence']

export const groupingNames: Record<GroupBy, string> = {
  vulnerability: 'Vulnerability, on however many nodes',
  node: 'Node, with all its findings',
  scan: 'Scan or re-match, with all it found',
  occurrence: 'Finding on a node',
}

/** Quiet hours to begin with: each night. */
export const newQuiet: QuietDraft = { days: [], from: '22:00', to: '07:00' }

/** A rule before anybody has said anything. */
export const newRuleDraft = (zone: string): RuleDraft => ({
  name: '',
  enabled: true,
  types: [],
  when: '',
  team: '',
  min_nodes: '',
  group_by: 'vulnerability',
  limit: '',
  digest: '',
  time_zone: zone,
  even_if_empty: false,
  quiet: [],
  resolved: false,
  title: '',
  text: '',
  integrations: [],
})

/** A rule as its form shows it before anything is changed. */
export function ruleDraftOf(rule: RuleDefinition): RuleDraft {
  return {
    name: rule.name,
    enabled: rule.enabled,
    types: rule.types,
    when: rule.when ?? '',
    team: rule.team ?? '',
    min_nodes: countText(rule.min_nodes),
    group_by: rule.group_by,
    limit: rule.limit === standardLimit ? '' : countText(rule.limit),
    digest: rule.digest ?? '',
    time_zone: rule.time_zone,
    even_if_empty: rule.even_if_empty ?? false,
    quiet: (rule.quiet ?? []).map(({ days = [], from, to }) => ({ days, from, to })),
    resolved: rule.resolved ?? false,
    title: rule.title ?? '',
    text: rule.text ?? '',
    integrations: rule.integrations,
  }
}

/** What a form says, in the API's terms. It is the console that judges it. */
export function ruleDefinitionOf(draft: RuleDraft): RuleDefinition {
  return {
    name: draft.name,
    enabled: draft.enabled,
    types: draft.types,
    when: draft.when || undefined,
    team: draft.team || undefined,
    min_nodes: countIn(draft.min_nodes),
    group_by: draft.group_by,
    limit: countIn(draft.limit) ?? standardLimit,
    digest: draft.digest || undefined,
    time_zone: draft.time_zone || 'UTC',
    even_if_empty: draft.even_if_empty || undefined,
    quiet: draft.quiet.map(({ days, from, to }) => ({ days: days.length === 0 ? undefined : days, from, to })),
    resolved: draft.resolved || undefined,
    title: draft.title || undefined,
    text: draft.text || undefined,
    integrations: draft.integrations,
  }
}

/** The definition of a rule that is there, on or off. */
export function switched(rule: Rule, enabled: boolean): RuleDefinition {
  return ruleDefinitionOf({ ...ruleDraftOf(rule), enabled })
}

/** How many notifications in ten minutes, unless a rule says otherwise. */
export const standardLimit = 100

/** Fields that most rules leave as they are. */
export const advancedRuleFields = ['team', 'min_nodes', 'limit', 'quiet', 'title', 'text']

/** Whether a form says something besides that most rules do not. */
export function isAdvancedRule({ team, min_nodes: minNodes, limit, quiet, title, text }: RuleDraft): boolean {
  return [team, minNodes, limit, title, text].some((field) => field !== '') || quiet.length > 0
}

/** Whether there is enough of a rule to ask what it would tell. */
export function isAbout({ types, even_if_empty: evenIfEmpty }: Pick<RuleDraft, 'types' | 'even_if_empty'>): boolean {
  return types.length > 0 || evenIfEmpty
}

/** Whether some of a rule's types are about findings; while the types that there are are not known, it counts as true. */
export function isAboutFindings(chosen: string[], known: EventType[]): boolean {
  return known.length === 0 || known.some(({ name, findings }) => findings && chosen.some((pattern) => means(pattern, name)))
}

function means(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** The types to choose from, by what they are about, each group led by a pattern that means all of it. */
export function typeGroups(known: EventType[], chosen: string[]): { group: string; items: string[] }[] {
  const subjects = [...new Set(known.map(({ name }) => subjectOf(name)))]
  const items = subjects.map((group) => {
    const names = known.map(({ name }) => name).filter((name) => subjectOf(name) === group)
    return { group, items: names.length > 1 ? [`${group}.*`, ...names] : names }
  })
  const others = chosen.filter((pattern) => !items.some((each) => each.items.includes(pattern)))
  return others.length === 0 ? items : [{ group: 'other patterns', items: others }, ...items]
}

/** What comes before the dot: "scan" of "scan.failed". */
function subjectOf(type: string): string {
  return type.split('.')[0] ?? type
}

/** When a rule tells: "at once", "0 8 * * *, UTC". */
export function paceText({ digest = '', time_zone: zone }: Pick<RuleDefinition, 'digest' | 'time_zone'>): string {
  return digest === '' ? 'at once' : `${digestNames[digest] ?? digest}, ${zone}`
}

const digestNames: Record<string, string | undefined> = { '@hourly': 'every hour', '@daily': 'each midnight', '@weekly': 'every week' }

/** Digests to choose from. */
export const readyDigests: { digest: string; title: string }[] = [
  { digest: '@hourly', title: 'Together, every hour' },
  { digest: '@daily', title: 'Together, each midnight' },
  { digest: '0 8 * * *', title: 'Together, each morning at eight' },
  { digest: '0 8 * * 1', title: 'Together, on Monday morning' },
]

/** "22:00 to 07:00, on Sat, Sun", or "each day". */
export function quietText({ days = [], from, to }: Quiet): string {
  return `${from} to ${to}, ${days.length === 0 ? 'each day' : `on ${days.map((day) => weekdayNames[day]).join(', ')}`}`
}

function countText(count: number | undefined): string {
  return count === undefined || count === 0 ? '' : count.toString()
}

function countIn(text: string): number | undefined {
  return text === '' ? undefined : Number(text)
}

/** How much a rule would have told: "3 notifications of the last 500 events, without limit and digest". */
export function previewText({ events, matters, notifications, example }: Pick<RulePreview, 'events' | 'matters' | 'notifications' | 'example'>): string {
  const of = events === 1 ? 'the last event' : `the last ${events.toLocaleString('en')} events`
  if (example || matters === 0) return events === 0 ? 'Nothing has happened yet. In the rule\u2019s words:' : `Nothing of ${of} matters to it. In its words:`
  const count = matters === 1 ? '1 notification' : `${matters.toLocaleString('en')} notifications`
  return matters > notifications.length ? `${count} of ${of}, before limit and digest. The newest:` : `${count} of ${of}, before limit and digest:`
}
