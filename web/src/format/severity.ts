import type { Finding } from '../api/findings'
import type { Scan } from '../api/scans'

export type Severity = Finding['severity']
export type Counts = Scan['counts']

/** Worst first, the order in which the console lists findings. */
export const severities: Severity[] = ['malicious', 'critical', 'high', 'medium', 'low', 'unknown']

export const severityNames: Record<Severity, string> = {
  malicious: 'Malicious',
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
  unknown: 'Unknown',
}

export function totalOf(counts: Counts): number {
  return severities.reduce((sum, severity) => sum + counts[severity], 0)
}

/** The score that the severity comes from: the API lists the deciding vector first. */
export function decidingScore(cvss: Finding['cvss']): number | undefined {
  return cvss[0]?.score
}

export function isSeverity(name: string): name is Severity {
  return severities.some((severity) => severity === name)
}

/** Counts as a sentence has them: "2 critical, 13 high"; "none". */
export function countsLine(counts: Counts): string {
  const parts = severities.filter((severity) => counts[severity] > 0).map((severity) => `${counts[severity].toLocaleString('en')} ${severity}`)
  return parts.join(', ') || 'none'
}
