import { Button, Code, Skeleton, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { scheduleQuery, useResumeSchedule, type Schedule } from '../api/schedules'
import { Callout } from '../components/Callout'
import { Fact, Facts } from '../components/Facts'
import { PageHeader } from '../components/PageHeader'
import { PauseDialog } from '../components/PauseDialog'
import { ProblemAlert } from '../components/ProblemAlert'
import { RunNowButton } from '../components/RunNowButton'
import { RunsTable } from '../components/RunsTable'
import { NextFire } from '../components/ScheduleStanding'
import { RelativeTime } from '../components/Time'

export function SchedulePage() {
  const { id } = useParams({ from: '/console/schedules/$id' })
  const schedule = useQuery(scheduleQuery(id))
  return (
    <>
      <PageHeader title={schedule.data?.name ?? 'Schedule'}>{schedule.data && <Actions schedule={schedule.data} />}</PageHeader>
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

function Actions({ schedule }: { schedule: Schedule }) {
  const [pausing, { open, close }] = useDisclosure(false)
  const resume = useResumeSchedule(schedule.id)
  return (
    <>
      {schedule.pause !== undefined ? (
        <Button
          variant="default"
          loading={resume.isPending}
          onClick={() => {
            resume.mutate()
          }}
        >
          Resume
        </Button>
      ) : (
        schedule.enabled && (
          <Button variant="default" onClick={open}>
            Pause
          </Button>
        )
      )}
      <RunNowButton schedule={schedule} size="xs" />
      <PauseDialog schedule={schedule} opened={pausing} onClose={close} />
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

const overlaps: Record<Schedule['overlap'], string> = { allow: 'start all the same', skip: 'skip the fire time', buffer_one: 'start once it has ended' }

function ScheduleFacts({ schedule }: { schedule: Schedule }) {
  return (
    <Facts>
      <Fact name="Next fire">
        <NextFire schedule={schedule} />
      </Fact>
      <Fact name="When">
        <Code>{schedule.cron}</Code> {schedule.time_zone}
      </Fact>
      <Fact name="Which nodes">
        <Code className="breakable">{schedule.selector}</Code>
      </Fact>
      <Fact name="If the run before goes on">{overlaps[schedule.overlap]}</Fact>
      <Fact name="Missed times are made up for">{schedule.catch_up_window === '0s' ? 'never' : `within ${schedule.catch_up_window}`}</Fact>
      <Fact name="Spread over">{schedule.spread ?? 'nothing: all at once'}</Fact>
      <Fact name="Scans at once">{schedule.max_concurrent ?? 'any number'}</Fact>
      <Fact name="Retries">{schedule.retries ?? 2}</Fact>
      <Fact name="Gives up after">{schedule.run_timeout}</Fact>
      {schedule.maintenance_windows !== undefined && schedule.maintenance_windows.length > 0 && (
        <Fact name="Nothing starts in">
          {schedule.maintenance_windows.map(({ cron, duration }) => (
            <div key={cron}>
              <Code>{cron}</Code> for {duration}
            </div>
          ))}
        </Fact>
      )}
      {schedule.missed > 0 && <Fact name="Missed since the last run">{schedule.missed.toLocaleString('en')}</Fact>}
    </Facts>
  )
}
