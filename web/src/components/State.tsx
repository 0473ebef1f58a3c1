import type { Change } from '../api/changes'
import type { NodeState } from '../api/nodes'
import classes from './meaning.module.css'

type Tone = 'good' | 'busy' | 'bad' | 'idle'

const scanTones: Record<string, Tone | undefined> = {
  queued: 'idle',
  collecting: 'busy',
  matching: 'busy',
  running: 'busy',
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

const changeTones: Record<Change, Tone> = { opened: 'bad', resolved: 'good', unchanged: 'idle' }

export function ChangeLabel({ change, names }: { change: Change; names?: Record<Change, string> }) {
  return (
    <span className={classes.state} data-tone={changeTones[change]}>
      {names?.[change] ?? change}
    </span>
  )
}
