/** What starts a scan or a re-match, as people say it. */
export const triggerNames = {
  schedule: 'schedule',
  on_demand: 'on demand',
  arrival: 'arrival',
  change: 'change',
  upload: 'upload',
  registry: 'registry',
  feed: 'feed',
  engine: 'engine',
} as const

/** A trigger that a newer console has and this page does not know speaks for itself. */
export function triggerName(trigger: string): string {
  const names: Record<string, string | undefined> = triggerNames
  return names[trigger] ?? trigger
}
