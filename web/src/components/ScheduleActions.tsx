import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useMayOperate } from '../api/session'
import { useResumeSchedule, type Schedule } from '../api/schedules'
import { DeleteScheduleDialog } from './DeleteScheduleDialog'
import { PauseDialog } from './PauseDialog'
import { RunNowButton } from './RunNowButton'
import { EditScheduleDialog } from './ScheduleDialogs'

/** What can be done with a schedule, by who may. */
export function ScheduleActions({ schedule }: { schedule: Schedule }) {
  const mayOperate = useMayOperate()
  const [editing, edit] = useDisclosure(false)
  const [deleting, remove] = useDisclosure(false)
  if (!mayOperate) return null
  return (
    <>
      <Button variant="default" onClick={remove.open}>
        Delete
      </Button>
      <PauseOrResume schedule={schedule} />
      <Button variant="default" onClick={edit.open}>
        Edit
      </Button>
      <RunNowButton schedule={schedule} size="xs" />
      <EditScheduleDialog schedule={schedule} opened={editing} onClose={edit.close} />
      <DeleteScheduleDialog schedule={schedule} opened={deleting} onClose={remove.close} />
    </>
  )
}

function PauseOrResume({ schedule }: { schedule: Schedule }) {
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
      <PauseDialog schedule={schedule} opened={pausing} onClose={close} />
    </>
  )
}
