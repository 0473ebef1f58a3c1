import { nodeKinds, nodeStates, type NodeFilter } from './api/nodes'
import { scanStates, type ScanState } from './api/scans'
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

export const scansSearch = (search: Search): { state?: ScanState } => ({ state: oneOf(scanStates, search.state) })

export const scanSearch = (search: Search): { severity?: Severity } => ({ severity: oneOf(severities, search.severity) })

export function oneOf<T>(allowed: T[], value: unknown): T | undefined {
  return allowed.find((each) => each === value)
}

/** A path of this console, or nothing: an address that leads elsewhere after signing in would be an open redirect. */
export function pathWithin(target: string | undefined): string | undefined {
  return target !== undefined && /^\/(?![/\\])/.test(target) ? target : undefined
}
