import type { Finding } from '../api/findings'

/** Whether a finding's names, package, versions or summary contain every word of the text, in any case. */
export function mentions(finding: Finding, text: string): boolean {
  const { component } = finding
  const haystack = [
    finding.vulnerability,
    ...finding.aliases,
    ...finding.advisories,
    finding.summary,
    component.ecosystem,
    component.name,
    component.version,
    component.source?.name,
    ...(component.locations ?? []),
  ]
    .join('\n')
    .toLowerCase()
  return text.toLowerCase().split(/\s+/).every((word) => haystack.includes(word))
}
