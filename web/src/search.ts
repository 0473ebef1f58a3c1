import { changes, type Change } from './api/changes'
import { deliveryStates, type DeliveryFilter } from './api/deliveries'
import { nodeKinds, nodeStates, type NodeFilter } from './api/nodes'
import type { OverdueFilter } from './api/occurrences'
import { reportKinds, reportStates, reportTriggers, type ReportFilter } from './api/report'
import { severities, type Severity } from './format/severity'

type Search = Record<string, unknown>

/** What an address may say after its question mark; what it may not is left out, as hand-edited addresses happen. */
export const signInSearch = (search: Search): { target?: string } => ({
  target: typeof search.target === 'string' ? search.target : undefined,
})

export const nodesSearch = (search: Search): NodeFilter => ({
  kind: oneOf(nodeKinds, search.kind),
  state: oneOf(nodeStates, search.state),
})

export const reportSearch = (search: Search): ReportFilter => ({
  kind: oneOf(reportKinds, search.kind),
  trigger: oneOf(reportTriggers, search.trigger),
  node: text(search.node),
  node_kind: oneOf(nodeKinds, search.node_kind),
  state: oneOf(reportStates, search.state),
  schedule: text(search.schedule),
  run: text(search.run),
  worst: oneOf(severities, search.worst),
  changed: on(search.changed),
  from: date(search.from),
  to: date(search.to),
})

export const overdueSearch = (search: Search): OverdueFilter => ({
  severity: oneOf(severities, search.severity),
  kev: on(search.kev),
  fixable: on(search.fixable),
  node: text(search.node),
  vulnerability: text(search.vulnerability),
  package: text(search.package),
})

export const deliveriesSearch = (search: Search): DeliveryFilter => ({
  integration: text(search.integration),
  rule: text(search.rule),
  state: oneOf(deliveryStates, search.state),
})

export const scanViews = ['findings', 'changes', 'compare'] as const
export type ScanView = (typeof scanViews)[number]

interface ScanSearch {
  /** The findings unless given. */
  view?: ScanView
  severity?: Severity
  change?: Change
  /** Id of the scan to compare with. */
  with?: string
}

export const scanSearch = (search: Search): ScanSearch => ({
  view: oneOf(scanViews, search.view),
  severity: oneOf(severities, search.severity),
  change: oneOf(changes, search.change),
  with: text(search.with),
})

/** Whether a filter leaves out anything. */
export function isNarrowed(filter: object): boolean {
  return JSON.stringify(filter) !== '{}'
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** What is asked for or not. */
function on(value: unknown): true | undefined {
  return oneOf([true] as const, value)
}

/** A day of the calendar, as browsers' date fields write it. */
function date(value: unknown): string | undefined {
  const written = text(value)
  return written !== undefined && /^\d{4}-\d\d-\d\d$/.test(written) && !Number.isNaN(Date.parse(written)) ? written : undefined
}

export function oneOf<T>(allowed: readonly T[], value: unknown): T | undefined {
  return allowed.find((each) => each === value)
}

/** A path of this console, or nothing: an address that leads elsewhere after signing in would be an open redirect. */
export function pathWithin(target: string | undefined): string | undefined {
  return target !== undefined && /^\/(?![/\\])/.test(target) ? target : undefined
}
