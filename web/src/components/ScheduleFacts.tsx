import { Code } from '@mantine/core'
import type { Schedule, Window } from '../api/schedules'
import { overlapNames } from '../format/overlap'
import { spanText, zonedTime } from '../format/time'
import { Fact, Facts } from './Facts'
import { NextFire } from './ScheduleStanding'

/** All that a schedule says, in words; what most leave out stands here only where it is said. */
export function ScheduleFacts({ schedule }: { schedule: Schedule }) {
  const { time_zone: zone, per_label: limit, maintenance_windows: windows = [], starts_at: starts, ends_at: ends } = schedule
  return (
    <Facts>
      <Fact name="Next fire">
        <NextFire schedule={schedule} />
      </Fact>
      <Fact name="When">
        <Code>{schedule.cron}</Code> {zone}
      </Fact>
      {starts !== undefined && <Fact name="Nothing fires before">{zonedTime(starts, zone)}</Fact>}
      {ends !== undefined && <Fact name="Nothing fires after">{zonedTime(ends, zone)}</Fact>}
      <Fact name="Which nodes">
        <Code className="breakable">{schedule.selector}</Code>
      </Fact>
      <Fact name="If the run before goes on">{overlapNames[schedule.overlap]}</Fact>
      <Fact name="Missed times are made up for">{schedule.catch_up_window === '0s' ? 'never' : `within ${spanText(schedule.catch_up_window)}`}</Fact>
      <Fact name="Spread over">{schedule.spread === undefined ? 'nothing: all at once' : spanText(schedule.spread)}</Fact>
      <Fact name="Scans at once">{schedule.max_concurrent ?? 'any number'}</Fact>
      {limit !== undefined && (
        <Fact name="Scans at once by label">
          {limit.max} for each value of <Code>{limit.key}</Code>
        </Fact>
      )}
      <Fact name="Retries">{schedule.retries}</Fact>
      <Fact name="Gives up after">{spanText(schedule.run_timeout)}</Fact>
      {windows.length > 0 && (
        <Fact name="Nothing starts in">
          {windows.map((window, index) => (
            <WindowLine key={index} window={window} />
          ))}
        </Fact>
      )}
      {schedule.missed > 0 && <Fact name="Missed since the last run">{schedule.missed.toLocaleString('en')}</Fact>}
    </Facts>
  )
}

function WindowLine({ window: { cron, duration, time_zone: zone } }: { window: Window }) {
  return (
    <div>
      <Code>{cron}</Code> for {spanText(duration)} {zone}
    </div>
  )
}
