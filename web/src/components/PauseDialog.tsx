import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import type { SubmitEvent } from 'react'
import { fieldProblem } from '../api/problem'
import { usePauseSchedule, type Schedule } from '../api/schedules'
import { textOf } from '../format/form'
import { ProblemAlert } from './ProblemAlert'

interface PauseDialogProps {
  schedule: Schedule
  opened: boolean
  onClose: () => void
}

export function PauseDialog({ schedule, opened, onClose }: PauseDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Pause ${schedule.name}`} closeButtonProps={{ 'aria-label': 'Close' }}>
      <PauseForm schedule={schedule} onDone={onClose} />
    </Modal>
  )
}

function PauseForm({ schedule, onDone }: { schedule: Schedule; onDone: () => void }) {
  const pause = usePauseSchedule(schedule.id)
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const until = textOf(fields, 'until')
    pause.mutate({ reason: textOf(fields, 'reason').trim(), until: until === '' ? undefined : new Date(until).toISOString() }, { onSuccess: onDone })
  }
  const inPlace = fieldProblem(pause.error, 'reason') ?? fieldProblem(pause.error, 'until')
  return (
    <form onSubmit={submit} aria-label="Pause">
      <Stack gap="sm">
        {pause.isError && inPlace === undefined && <ProblemAlert error={pause.error} />}
        <TextInput
          name="reason"
          label="Why"
          description="For whoever wonders. What would have fired meanwhile is not made up for"
          required
          withAsterisk={false}
          data-autofocus
          autoComplete="off"
          error={fieldProblem(pause.error, 'reason')}
        />
        <TextInput
          name="until"
          type="datetime-local"
          label="Until"
          description="In this browser's time zone; empty until somebody resumes it"
          error={fieldProblem(pause.error, 'until')}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={pause.isPending}>
            Pause the schedule
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
