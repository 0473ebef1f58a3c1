import { ActionIcon, Button, Group, Input, SimpleGrid, Stack, TextInput } from '@mantine/core'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { newWindow, type WindowDraft } from '../format/draft'
import { CronField } from './CronField'
import { TimeZoneField } from './TimeZoneField'

interface WindowsFieldProps {
  windows: WindowDraft[]
  /** The schedule's, which windows are in that name none. */
  zone: string
  problem: (field: string) => string | undefined
  onChange: (windows: WindowDraft[]) => void
}

/** As many windows as the API takes. */
const mostWindows = 20

/** When nothing starts: any number of times that come again. */
export function WindowsField({ windows, zone, problem, onChange }: WindowsFieldProps) {
  return (
    <Input.Wrapper
      role="group"
      aria-label="Maintenance windows"
      label="Maintenance windows"
      labelElement="div"
      description="In which nothing starts; what falls due in one starts once at its end"
      error={problem('maintenance_windows')}
    >
      <Stack gap="sm" my={6}>
        {windows.map((window, index) => (
          <WindowFields
            key={index}
            number={index + 1}
            window={window}
            zone={zone}
            refusal={problem(`maintenance_windows[${index}]`)}
            problem={(field) => problem(`maintenance_windows[${index}].${field}`)}
            onChange={(part) => {
              onChange(windows.with(index, { ...window, ...part }))
            }}
            onRemove={() => {
              onChange(windows.toSpliced(index, 1))
            }}
          />
        ))}
      </Stack>
      <Button
        variant="default"
        leftSection={<IconPlus size={14} aria-hidden />}
        disabled={windows.length >= mostWindows}
        onClick={() => {
          onChange([...windows, newWindow])
        }}
      >
        Add a window
      </Button>
    </Input.Wrapper>
  )
}

interface WindowFieldsProps {
  number: number
  window: WindowDraft
  zone: string
  /** What the console refuses of the window as a whole. */
  refusal: string | undefined
  problem: (field: string) => string | undefined
  onChange: (part: Partial<WindowDraft>) => void
  onRemove: () => void
}

function WindowFields({ number, window, zone, refusal, problem, onChange, onRemove }: WindowFieldsProps) {
  return (
    <Group role="group" aria-label={`Window ${number}`} gap="xs" align="start" wrap="nowrap">
      <SimpleGrid cols={{ base: 1, sm: 3 }} spacing="xs" verticalSpacing={4} flex={1}>
        <CronField
          label="Begins, as cron"
          value={window.cron}
          error={refusal ?? problem('cron')}
          onChange={(cron) => {
            onChange({ cron })
          }}
        />
        <TextInput
          label="Lasts"
          required
          withAsterisk={false}
          autoComplete="off"
          value={window.duration}
          error={problem('duration')}
          onChange={(event) => {
            onChange({ duration: event.currentTarget.value })
          }}
        />
        <TimeZoneField
          label="Time zone"
          placeholder={zone}
          value={window.time_zone}
          error={problem('time_zone')}
          onChange={(chosen) => {
            onChange({ time_zone: chosen })
          }}
        />
      </SimpleGrid>
      <ActionIcon variant="default" size="lg" mt={22} aria-label={`Remove window ${number}`} onClick={onRemove}>
        <IconTrash size={16} aria-hidden />
      </ActionIcon>
    </Group>
  )
}
