import type { Change } from '../api/changes'
import type { DeliveryState } from '../api/deliveries'
import type { IntegrationState } from '../api/integrations'
import type { NodeState } from '../api/nodes'
import type { Run } from '../api/schedules'
import { deliveryStateNames } from '../format/delivery'
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

const runTones: Record<Run['state'], Tone> = { running: 'busy', finished: 'good', cancelled: 'idle', timeout: 'bad' }

/** A run that could start nothing has failed, whatever its state. */
export function RunStateLabel({ run }: { run: Run }) {
  return (
    <span className={classes.state} data-tone={run.error === '' ? runTones[run.state] : 'bad'} data-busy={run.state === 'running' || undefined}>
      {run.error === '' ? runStates[run.state] : 'failed'}
    </span>
  )
}

const runStates: Record<Run['state'], string> = { running: 'running', finished: 'finished', cancelled: 'cancelled', timeout: 'timed out' }

const integrationTones: Record<IntegrationState, Tone> = { untried: 'idle', healthy: 'good', failing: 'bad', disabled: 'idle' }

export function IntegrationStateLabel({ state }: { state: IntegrationState }) {
  return (
    <span className={classes.state} data-tone={integrationTones[state]}>
      {state}
    </span>
  )
}

const deliveryTones: Record<DeliveryState, Tone> = { pending: 'busy', delivered: 'good', dead: 'bad', superseded: 'idle' }

export function DeliveryStateLabel({ state }: { state: DeliveryState }) {
  return (
    <span className={classes.state} data-tone={deliveryTones[state]} data-busy={state === 'pending' || undefined}>
      {deliveryStateNames[state]}
    </span>
  )
}
