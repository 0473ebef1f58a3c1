import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useDeleteSchedule, type Schedule } from '../api/schedules'
import { useNoticeBoard } from '../notices'
import { ProblemAlert } from './ProblemAlert'

interface DeleteScheduleDialogProps {
  schedule: Schedule
  opened: boolean
  onClose: () => void
}

/** Asks once more, and says what goes and what stays. */
export function DeleteScheduleDialog({ schedule, opened, onClose }: DeleteScheduleDialogProps) {
  const navigate = useNavigate()
  const notices = useNoticeBoard()
  const remove = useDeleteSchedule(schedule.id, async () => {
    await navigate({ to: '/schedules' })
    notices.show({ kind: 'done', title: 'Schedule deleted', text: `${schedule.name} is no longer there.` })
  })
  return (
    <Modal opened={opened} onClose={onClose} title={<span className="breakable">Delete {schedule.name}?</span>} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack gap="sm">
        {remove.isError && <ProblemAlert error={remove.error} />}
        <Text fz="sm">The record of its runs goes with it. Their scans stay, with all that they found, and those under way go on; nodes that still wait in a run are not scanned by it.</Text>
        <Text fz="sm">To stop it for a while, pause or disable it instead.</Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" data-autofocus onClick={onClose}>
            Keep it
          </Button>
          <Button
            color="red.9"
            loading={remove.isPending}
            onClick={() => {
              remove.mutate()
            }}
          >
            Delete the schedule
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
