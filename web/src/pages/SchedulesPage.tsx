import { Button, Code, Switch, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCalendarTime, IconPlus } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { schedulesQuery, useEnableSchedule, useRunSchedule, type Schedule } from '../api/schedules'
import { EmptyNote } from '../components/EmptyNote'
import { ListTable, type Column } from '../components/ListTable'
import { NewScheduleDialog } from '../components/NewScheduleDialog'
import { PageHeader } from '../components/PageHeader'
import { None, RelativeTime } from '../components/Time'
import { useNoticeBoard } from '../notices'

const columns: Column<Schedule>[] = [
  { key: 'enabled', header: 'Enabled', width: 76, cell: (schedule) => <EnableSwitch schedule={schedule} /> },
  {
    key: 'name',
    header: 'Name',
    cell: ({ name }) => (
      <Text inherit fw={600} className="breakable">
        {name}
      </Text>
    ),
  },
  { key: 'cron', header: 'Cron', cell: (schedule) => <Cron schedule={schedule} /> },
  { key: 'selector', header: 'Selector', width: '28%', cell: ({ selector }) => <Selector text={selector} /> },
  { key: 'next', header: 'Next fire', cell: ({ next_fire_at: next }) => <RelativeTime moment={next} /> },
  { key: 'last', header: 'Last run', cell: (schedule) => <LastRun schedule={schedule} /> },
  { key: 'actions', header: 'Actions', width: 90, numeric: true, cell: (schedule) => <RunNowButton schedule={schedule} /> },
]

export function SchedulesPage() {
  const list = useInfiniteQuery(schedulesQuery())
  const [creating, { open, close }] = useDisclosure(false)
  return (
    <>
      <PageHeader title="Schedules">
        <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
          New schedule
        </Button>
      </PageHeader>
      <ListTable name="Schedules" list={list} columns={columns} rowKey={(schedule) => schedule.id} empty={<NoSchedules onNew={open} />} />
      <NewScheduleDialog opened={creating} onClose={close} />
    </>
  )
}

function EnableSwitch({ schedule }: { schedule: Schedule }) {
  const enable = useEnableSchedule(schedule.id)
  return (
    <Switch
      size="xs"
      aria-label={`${schedule.name} is enabled`}
      checked={enable.isPending ? enable.variables : schedule.enabled}
      disabled={enable.isPending}
      onChange={(event) => {
        enable.mutate(event.currentTarget.checked)
      }}
    />
  )
}

function Cron({ schedule }: { schedule: Schedule }) {
  return (
    <>
      <Code>{schedule.cron}</Code>
      <Text fz="xs" c="dimmed">
        {schedule.time_zone}
      </Text>
    </>
  )
}

function Selector({ text }: { text: string }) {
  return text === '' ? <>every node</> : <Code className="breakable">{text}</Code>
}

function LastRun({ schedule: { last_run: run } }: { schedule: Schedule }) {
  if (run === undefined) return <None />
  return (
    <>
      <RelativeTime moment={run.fired_at} />
      <Text fz="xs" c="dimmed">
        {scansOf(run)}
      </Text>
    </>
  )
}

/** Fewer scans than selected nodes: the others were being scanned already. */
function scansOf({ scans, selected, error }: NonNullable<Schedule['last_run']>): string {
  if (error !== '') return `failed: ${error}`
  return `${scans} ${scans === 1 ? 'scan' : 'scans'} of ${selected} ${selected === 1 ? 'node' : 'nodes'}`
}

function RunNowButton({ schedule }: { schedule: Schedule }) {
  const run = useRunSchedule(schedule.id)
  const notices = useNoticeBoard()
  return (
    <Button
      variant="default"
      size="compact-xs"
      loading={run.isPending}
      aria-label={`Run now: ${schedule.name}`}
      onClick={() => {
        run.mutate(undefined, {
          onSuccess: (fired) => {
            notices.show({ kind: fired.error === '' ? 'done' : 'failed', title: `Run of ${schedule.name}`, text: scansOf(fired) })
          },
        })
      }}
    >
      Run now
    </Button>
  )
}

function NoSchedules({ onNew }: { onNew: () => void }) {
  return (
    <EmptyNote icon={IconCalendarTime} title="No schedule yet" action={<Button onClick={onNew}>New schedule</Button>}>
      A schedule scans the nodes that its selector names, at the times of its cron expression.
    </EmptyNote>
  )
}
