import { Button, Grid, Group, Modal, Stack, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { fieldProblem } from '../api/problem'
import { newDefinition, previewQuery, useCreateSchedule, type Definition } from '../api/schedules'
import { ProblemAlert } from './ProblemAlert'
import { ScheduleOptions } from './ScheduleOptions'
import { SchedulePreview } from './SchedulePreview'
import { SelectorField } from './SelectorField'

interface NewScheduleDialogProps {
  opened: boolean
  onClose: () => void
}

export function NewScheduleDialog({ opened, onClose }: NewScheduleDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} size="56rem" title="New schedule" closeButtonProps={{ 'aria-label': 'Close' }}>
      <NewScheduleForm onDone={onClose} />
    </Modal>
  )
}

/** The fields that show what the console refuses of them; of any other, it stands above. */
const shown = ['name', 'cron', 'time_zone', 'selector', 'spread', 'max_concurrent', 'retries', 'catch_up_window', 'run_timeout']

/** The console judges the definition, while it is written and when it is saved. */
function NewScheduleForm({ onDone }: { onDone: () => void }) {
  const create = useCreateSchedule()
  const [definition, setDefinition] = useState(newDefinition)
  const [settled] = useDebouncedValue(definition, 400)
  const preview = useQuery(previewQuery(settled))
  const change = (part: Partial<Definition>) => {
    setDefinition({ ...definition, ...part })
    if (create.isError) create.reset()
  }
  const problem = (field: string) => fieldProblem(create.error, field) ?? fieldProblem(preview.error, field)
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    create.mutate(definition, { onSuccess: onDone })
  }
  return (
    <form onSubmit={submit} aria-label="New schedule">
      {create.isError && !shown.some((field) => fieldProblem(create.error, field)) && <ProblemAlert error={create.error} />}
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, sm: 7 }}>
          <Stack gap="sm">
            <TextInput
              label="Name"
              required
              withAsterisk={false}
              data-autofocus
              autoComplete="off"
              value={definition.name}
              error={problem('name')}
              onChange={(event) => { change({ name: event.currentTarget.value }) }}
            />
            <TextInput
              label="When, as cron"
              description="Minute, hour, day of month, month, day of week: 0 3 * * 1-5 is three o'clock from Monday to Friday. Or @hourly, @daily, @weekly, @every 6h."
              required
              withAsterisk={false}
              classNames={{ input: 'mono', error: 'mono preformatted' }}
              autoComplete="off"
              value={definition.cron}
              error={problem('cron')}
              onChange={(event) => { change({ cron: event.currentTarget.value }) }}
            />
            <TextInput
              label="Time zone"
              description="An IANA name; clock changes are taken into account"
              required
              withAsterisk={false}
              autoComplete="off"
              list="time-zones"
              value={definition.time_zone}
              error={problem('time_zone')}
              onChange={(event) => { change({ time_zone: event.currentTarget.value }) }}
            />
            <datalist id="time-zones">
              {Intl.supportedValuesOf('timeZone').map((zone) => (
                <option key={zone} value={zone} />
              ))}
            </datalist>
            <SelectorField value={definition.selector} error={problem('selector')} onChange={(selector) => { change({ selector }) }} />
            <ScheduleOptions definition={definition} problem={problem} onChange={change} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, sm: 5 }}>
          <SchedulePreview preview={preview} zone={settled.time_zone} />
        </Grid.Col>
      </Grid>
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onDone}>
          Close
        </Button>
        <Button type="submit" loading={create.isPending}>
          Create the schedule
        </Button>
      </Group>
    </form>
  )
}
