import type { Run } from '../api/schedules'

/** What became of a run's nodes: "10 complete, 1 failed, 1 skipped, of 12 nodes". */
export function runLine({ nodes, selected, error }: Pick<Run, 'nodes' | 'selected' | 'error'>): string {
  if (error !== '') return `failed: ${error}`
  if (selected === 0) return 'no node was meant'
  const parts = states.filter((state) => nodes[state] > 0).map((state) => `${nodes[state].toLocaleString('en')} ${state}`)
  return `${[...parts].join(', ') || 'nothing yet'}, of ${selected.toLocaleString('en')} ${selected === 1 ? 'node' : 'nodes'}`
}

const states = ['complete', 'failed', 'cancelled', 'skipped', 'matching', 'collecting', 'queued', 'waiting'] as const

/** What is out of the ordinary about how a run came to be; nothing for most. */
export function runNotes({ caught_up: caughtUp, held_by: heldBy, missed, dropped, retried }: Pick<Run, 'caught_up' | 'held_by' | 'missed' | 'dropped' | 'retried'>): string[] {
  return [
    caughtUp && 'makes up for a time when the console was away',
    heldBy === 'window' && 'waited for the end of a maintenance window',
    heldBy === 'overlap' && 'waited for the run before',
    missed > 0 && `${missed.toLocaleString('en')} fire times before it were missed`,
    dropped > 0 && `${dropped.toLocaleString('en')} fire times were dropped for it`,
    retried > 0 && `${retried.toLocaleString('en')} scans were retried`,
  ].filter((note) => note !== false)
}
