import { Skeleton, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { scheduleQuery, type Schedule } from '../api/schedules'
import { Callout } from '../components/Callout'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'
import { RunsTable } from '../components/RunsTable'
import { ScheduleActions } from '../components/ScheduleActions'
import { ScheduleFacts } from '../components/ScheduleFacts'
import { RelativeTime } from '../components/Time'

export function SchedulePage() {
  const { id } = useParams({ from: '/console/schedules/$id' })
  const schedule = useQuery(scheduleQuery(id))
  return (
    <>
      <PageHeader title={schedule.data?.name ?? 'Schedule'}>{schedule.data && <ScheduleActions schedule={schedule.data} />}</PageHeader>
      {schedule.isPending && <Skeleton height={120} mb="md" />}
      {schedule.isError && <ProblemAlert error={schedule.error} onRetry={() => void schedule.refetch()} />}
      {schedule.data && (
        <>
          <PausedNote schedule={schedule.data} />
          <ScheduleFacts schedule={schedule.data} />
          <Title order={2} mb="xs">
            Runs
          </Title>
          <RunsTable schedule={id} />
        </>
      )}
    </>
  )
}

function PausedNote({ schedule: { pause } }: { schedule: Schedule }) {
  if (pause === undefined) return null
  return (
    <Callout kind="neutral" role="note" title="Paused">
      {pause.reason}. Since <RelativeTime moment={pause.since} />, {pause.until === undefined ? 'until somebody resumes it' : <>ends <RelativeTime moment={pause.until} /></>}.
    </Callout>
  )
}
