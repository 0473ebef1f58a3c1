import { Button, Code, Switch, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCalendarTime, IconPlus } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useMayOperate } from '../api/session'
import { schedulesQuery, useEnableSchedule, type Schedule } from '../api/schedules'
import { EmptyNote } from '../components/EmptyNote'
import { ListTable, type Column } from '../components/ListTable'
import { PageHeader } from '../components/PageHeader'
import { RunNowButton } from '../components/RunNowButton'
import { NewScheduleDialog } from '../components/ScheduleDialogs'
import { NextFire } from '../components/ScheduleStanding'
import { RunStateLabel } from '../components/State'
import { TextLink } from '../components/TextLink'
import { None, RelativeTime } from '../components/Time'
import { runLine } from '../format/run'
import { duration } from '../format/time'

const columns: Column<Schedule>[] = [
  { key: 'enabled', header: 'Enabled', width: 76, cell: (schedule) => <EnableSwitch schedule={schedule} /> },
  {
    key: 'name',
    header: 'Name',
    cell: ({ id, name }) => (
      <TextLink to="/schedules/$id" params={{ id }} fw={600} className="breakable">
        {name}
      </TextLink>
    ),
  },
  { key: 'cron', header: 'Cron', cell: (schedule) => <Cron schedule={schedule} /> },
  { key: 'selector', header: 'Selector', width: '22%', cell: ({ selector }) => <Selector text={selector} /> },
  { key: 'next', header: 'Next fire', width: '15%', cell: (schedule) => <NextFire schedule={schedule} /> },
  { key: 'last', header: 'Last run', width: '20%', cell: (schedule) => <LastRun schedule={schedule} /> },
]

const actions: Column<Schedule> = { key: 'actions', header: 'Actions', width: 90, numeric: true, cell: (schedule) => <RunNowButton schedule={schedule} /> }

export function SchedulesPage() {
  const list = useInfiniteQuery(schedulesQuery())
  const mayOperate = useMayOperate()
  const [creating, { open, close }] = useDisclosure(false)
  return (
    <>
      <PageHeader title="Schedules">
        {mayOperate && (
          <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
            New schedule
          </Button>
        )}
      </PageHeader>
      <ListTable name="Schedules" list={list} columns={mayOperate ? [...columns, actions] : columns} rowKey={(schedule) => schedule.id} empty={<NoSchedules onNew={mayOperate ? open : undefined} />} />
      <NewScheduleDialog opened={creating} onClose={close} />
    </>
  )
}

function EnableSwitch({ schedule }: { schedule: Schedule }) {
  const enable = useEnableSchedule(schedule.id)
  const mayOperate = useMayOperate()
  return (
    <Switch
      size="xs"
      aria-label={`${schedule.name} is enabled`}
      checked={enable.isPending ? enable.variables : schedule.enabled}
      disabled={enable.isPending || !mayOperate}
      onChange={(event) => {
        enable.mutate(event.currentTarget.checked)
      }}
    />
  )
}

function Cron({ schedule }: { schedule: Schedule }) {
  return (
    <>
      <Code className="unbroken">{schedule.cron}</Code>
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
      <RunStateLabel run={run} /> <RelativeTime moment={run.fired_at} />
      <Text fz="xs" c="dimmed">
        {run.warning || runLine(run)}
        {run.lateness_seconds >= noticeable && `; ${duration(run.lateness_seconds * 1000)} late`}
      </Text>
    </>
  )
}

/** Seconds from which a run is called late in the list. */
const noticeable = 1

function NoSchedules({ onNew }: { onNew: (() => void) | undefined }) {
  return (
    <EmptyNote icon={IconCalendarTime} title="No schedule yet" action={onNew && <Button onClick={onNew}>New schedule</Button>}>
      A schedule scans the nodes that its selector names, at the times of its cron expression.
    </EmptyNote>
  )
}
