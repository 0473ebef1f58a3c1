import { Button, Text } from '@mantine/core'
import { IconCalendarTime } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useMayOperate } from '../api/session'
import { runsQuery, useCancelRun, type Run } from '../api/schedules'
import { runLine, runNotes } from '../format/run'
import { duration } from '../format/time'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { SkippedNodes } from './SkippedNodes'
import { RunStateLabel } from './State'
import { TextLink } from './TextLink'
import { Elapsed, RelativeTime } from './Time'

/** The runs of a schedule, newest first. */
export function RunsTable({ schedule }: { schedule: string }) {
  const list = useInfiniteQuery(runsQuery(schedule))
  const mayOperate = useMayOperate()
  const columns: Column<Run>[] = [
    { key: 'state', header: 'State', width: 110, cell: (run) => <RunStateLabel run={run} /> },
    { key: 'for', header: 'Scheduled for', width: 130, cell: (run) => <ScheduledFor run={run} /> },
    { key: 'lateness', header: 'Lateness', numeric: true, width: 84, cell: (run) => <span className="unbroken">{duration(run.lateness_seconds * 1000)}</span> },
    { key: 'duration', header: 'Duration', numeric: true, width: 84, cell: (run) => <Elapsed from={run.fired_at} to={run.finished_at} /> },
    { key: 'nodes', header: 'Nodes', width: '26%', cell: (run) => <Nodes run={run} /> },
    { key: 'notes', header: 'To know', cell: (run) => <Notes run={run} /> },
  ]
  const actions: Column<Run> = { key: 'actions', header: 'Actions', width: 90, numeric: true, cell: (run) => <CancelRunButton schedule={schedule} run={run} /> }
  return (
    <ListTable
      name="Runs"
      list={list}
      columns={mayOperate ? [...columns, actions] : columns}
      rowKey={(run) => run.id}
      detail={(run) => <SkippedNodes schedule={schedule} run={run} />}
      empty={
        <EmptyNote icon={IconCalendarTime} title="It has not run yet">
          It runs at its next fire time if it is enabled, or when you press <b>Run now</b>.
        </EmptyNote>
      }
    />
  )
}

const causes: Record<Run['cause'], string> = { schedule: 'by its cron', on_demand: 'run now', backfill: 'filled in' }

function ScheduledFor({ run }: { run: Run }) {
  return (
    <>
      <RelativeTime moment={run.scheduled_for} />
      <Text fz="xs" c="dimmed">
        {causes[run.cause]}
      </Text>
    </>
  )
}

function Nodes({ run }: { run: Run }) {
  return (
    <>
      {runLine(run)}
      {run.scans > 0 && (
        <Text fz="xs">
          <TextLink to="/scans" search={{ run: run.id }}>
            {run.scans === 1 ? '1 scan' : `${run.scans.toLocaleString('en')} scans`}
          </TextLink>
        </Text>
      )}
    </>
  )
}

function Notes({ run }: { run: Run }) {
  return (
    <>
      {run.warning !== '' && <div>{run.warning}</div>}
      {runNotes(run).map((note) => (
        <Text key={note} fz="xs" c="dimmed">
          {note}
        </Text>
      ))}
    </>
  )
}

function CancelRunButton({ schedule, run }: { schedule: string; run: Run }) {
  const cancel = useCancelRun(schedule)
  if (run.state !== 'running') return null
  return (
    <Button
      variant="default"
      size="compact-xs"
      loading={cancel.isPending}
      onClick={() => {
        cancel.mutate(run.id)
      }}
    >
      Cancel
    </Button>
  )
}
