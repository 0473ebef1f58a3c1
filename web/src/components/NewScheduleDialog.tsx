import { Button, Group, Modal, Stack, TextInput } from '@mantine/core'
import type { SubmitEvent } from 'react'
import { newDefinition, useCreateSchedule } from '../api/schedules'
import { textOf } from '../format/form'
import { ProblemAlert } from './ProblemAlert'

interface NewScheduleDialogProps {
  opened: boolean
  onClose: () => void
}

export function NewScheduleDialog({ opened, onClose }: NewScheduleDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title="New schedule" closeButtonProps={{ 'aria-label': 'Close' }}>
      <NewScheduleForm onDone={onClose} />
    </Modal>
  )
}

/** The console judges cron, zone and selector when it saves; what it refuses is shown above the fields. */
function NewScheduleForm({ onDone }: { onDone: () => void }) {
  const create = useCreateSchedule()
  const initial = newDefinition()
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const field = (name: string) => textOf(fields, name).trim()
    create.mutate(
      { ...initial, name: field('name'), cron: field('cron'), time_zone: field('time_zone'), selector: field('selector') },
      { onSuccess: onDone },
    )
  }
  return (
    <form onSubmit={submit} aria-label="New schedule">
      <Stack gap="sm">
        {create.isError && <ProblemAlert error={create.error} />}
        <TextInput name="name" label="Name" required withAsterisk={false} data-autofocus autoComplete="off" />
        <TextInput
          name="cron"
          label="Cron"
          description="Minute, hour, day of month, month, day of week; or @hourly, @daily, @every 6h"
          defaultValue={initial.cron}
          required
          withAsterisk={false}
          classNames={{ input: 'mono' }}
          autoComplete="off"
        />
        <TextInput
          name="time_zone"
          label="Time zone"
          description="An IANA name"
          defaultValue={initial.time_zone}
          required
          withAsterisk={false}
          autoComplete="off"
        />
        <TextInput
          name="selector"
          label="Selector"
          description='CEL over node, such as node.kind == "host"'
          defaultValue={initial.selector}
          required
          withAsterisk={false}
          classNames={{ input: 'mono' }}
          autoComplete="off"
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create the schedule
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
