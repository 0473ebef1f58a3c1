import { Text } from '@mantine/core'
import type { Schedule } from '../api/schedules'
import { None, RelativeTime } from './Time'

/** When a schedule fires next, or what keeps it from that. */
export function NextFire({ schedule: { enabled, pause, held, next_fire_at: next } }: { schedule: Schedule }) {
  if (pause !== undefined) {
    return (
      <>
        <Text inherit fw={600}>
          paused
          {pause.until !== undefined && (
            <>
              {', ends '}
              <RelativeTime moment={pause.until} />
            </>
          )}
        </Text>
        <Text fz="xs" c="dimmed" className="breakable" lineClamp={2} title={pause.reason}>
          {pause.reason}
        </Text>
      </>
    )
  }
  if (!enabled) {
    return (
      <Text inherit c="dimmed">
        disabled
      </Text>
    )
  }
  return (
    <>
      {next === undefined ? <None /> : <RelativeTime moment={next} />}
      {held !== undefined && (
        <Text fz="xs" c="dimmed">
          waits for {held.by === 'window' ? 'the end of a maintenance window' : 'the run before'}
        </Text>
      )}
    </>
  )
}
