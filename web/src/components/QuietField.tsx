import { ActionIcon, Button, Chip, Group, Input, Stack, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { newQuiet, weekdayNames, weekdays, type QuietDraft } from '../format/rule'

interface QuietFieldProps {
  quiet: QuietDraft[]
  problem: (field: string) => string | undefined
  onChange: (quiet: QuietDraft[]) => void
}

/** As many times as the API takes. */
const mostQuiet = 20

/** When nothing is sent: any number of times of the day. */
export function QuietField({ quiet, problem, onChange }: QuietFieldProps) {
  return (
    <Input.Wrapper
      role="group"
      aria-label="Quiet hours"
      label="Quiet hours"
      labelElement="div"
      description="In which nothing is sent; it is sent at their end"
      error={problem('quiet')}
    >
      <Stack gap="sm" my={6}>
        {quiet.map((each, index) => (
          <QuietFields
            key={index}
            number={index + 1}
            quiet={each}
            problem={(field) => problem(`quiet[${index}].${field}`)}
            onChange={(part) => {
              onChange(quiet.with(index, { ...each, ...part }))
            }}
            onRemove={() => {
              onChange(quiet.toSpliced(index, 1))
            }}
          />
        ))}
      </Stack>
      <Button
        variant="default"
        leftSection={<IconPlus size={14} aria-hidden />}
        disabled={quiet.length >= mostQuiet}
        onClick={() => {
          onChange([...quiet, newQuiet])
        }}
      >
        Add quiet hours
      </Button>
    </Input.Wrapper>
  )
}

interface QuietFieldsProps {
  number: number
  quiet: QuietDraft
  problem: (field: string) => string | undefined
  onChange: (part: Partial<QuietDraft>) => void
  onRemove: () => void
}

function QuietFields({ number, quiet, problem, onChange, onRemove }: QuietFieldsProps) {
  return (
    <Group role="group" aria-label={`Quiet hours ${number}`} gap="xs" align="end">
      <TimeField label="From" value={quiet.from} error={problem('from')} onChange={(from) => { onChange({ from }) }} />
      <TimeField label="To" value={quiet.to} error={problem('to')} onChange={(to) => { onChange({ to }) }} />
      <ActionIcon variant="default" size={36} aria-label={`Remove quiet hours ${number}`} onClick={onRemove}>
        <IconTrash size={16} aria-hidden />
      </ActionIcon>
      <Input.Wrapper w="100%" labelElement="div" description="On which they begin; none chosen is each day" inputWrapperOrder={['input', 'error', 'description']} error={problem('days')}>
        <Chip.Group
          multiple
          value={quiet.days}
          onChange={(days) => {
            onChange({ days: weekdays.filter((day) => days.includes(day)) })
          }}
        >
          <Group gap={4} mb={2}>
            {weekdays.map((day) => (
              <Chip key={day} size="xs" radius="sm" variant="light" value={day}>
                {weekdayNames[day]}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
      </Input.Wrapper>
    </Group>
  )
}

interface TimeFieldProps {
  label: string
  value: string
  error: string | undefined
  onChange: (time: string) => void
}

function TimeField({ onChange, ...field }: TimeFieldProps) {
  return (
    <TextInput
      {...field}
      type="time"
      required
      withAsterisk={false}
      onChange={(event) => {
        onChange(event.currentTarget.value)
      }}
    />
  )
}
