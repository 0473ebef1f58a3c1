import type { NodeState } from '../api/nodes'
import classes from './meaning.module.css'

type Tone = 'good' | 'busy' | 'bad' | 'idle'

const scanTones: Record<string, Tone | undefined> = {
  queued: 'idle',
  collecting: 'busy',
  matching: 'busy',
  complete: 'good',
  failed: 'bad',
  cancelled: 'idle',
}

const nodeTones: Record<NodeState, Tone> = { active: 'good', inactive: 'bad', retired: 'idle' }

export function ScanStateLabel({ state }: { state: string }) {
  return (
    <span className={classes.state} data-tone={scanTones[state] ?? 'idle'} data-busy={scanTones[state] === 'busy' || undefined}>
      {state}
    </span>
  )
}

export function NodeStateLabel({ state }: { state: NodeState }) {
  return (
    <span className={classes.state} data-tone={nodeTones[state]}>
      {state}
    </span>
  )
}
