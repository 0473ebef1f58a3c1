import { NativeSelect, SimpleGrid, Text, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Definition } from '../api/schedules'
import { oneOf } from '../search'

interface ScheduleOptionsProps {
  definition: Definition
  problem: (field: string) => ReactNode
  onChange: (part: Partial<Definition>) => void
}

/** What most schedules leave as it is: how runs begin together, wait for each other, and end. */
export function ScheduleOptions({ definition, problem, onChange }: ScheduleOptionsProps) {
  return (
    <details>
      <summary>
        <Text span fz="sm" fw={500}>
          Advanced
        </Text>
      </summary>
      <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" mt="xs">
        <NativeSelect
          size="sm"
          label="If the run before goes on"
          description="A node that is being scanned gets no second scan, whatever is chosen"
          value={definition.overlap}
          data={overlaps}
          onChange={(event) => {
            onChange({ overlap: oneOf(overlapNames, event.currentTarget.value) })
          }}
        />
        <TextInput
          label="Make up for missed times"
          description="How late, if the console was away: 168h is a week; 0s is never"
          required
          withAsterisk={false}
          value={definition.catch_up_window}
          error={problem('catch_up_window')}
          onChange={(event) => {
            onChange({ catch_up_window: event.currentTarget.value })
          }}
        />
        <TextInput
          label="Spread the start over"
          description="Such as 30m, evenly over the nodes; empty starts all at once"
          value={definition.spread ?? ''}
          error={problem('spread')}
          onChange={(event) => {
            onChange({ spread: event.currentTarget.value || undefined })
          }}
        />
        <TextInput
          label="Give up after"
          description="What has not been scanned by then is skipped"
          required
          withAsterisk={false}
          value={definition.run_timeout}
          error={problem('run_timeout')}
          onChange={(event) => {
            onChange({ run_timeout: event.currentTarget.value })
          }}
        />
        <TextInput
          type="number"
          min={0}
          label="Scans at once"
          description="Of one run; empty for any number"
          value={definition.max_concurrent ?? ''}
          error={problem('max_concurrent')}
          onChange={(event) => {
            onChange({ max_concurrent: numberIn(event.currentTarget) })
          }}
        />
        <TextInput
          type="number"
          min={0}
          label="Retries"
          description="Of a node whose scan failed; 2 unless given"
          value={definition.retries ?? ''}
          error={problem('retries')}
          onChange={(event) => {
            onChange({ retries: numberIn(event.currentTarget) })
          }}
        />
      </SimpleGrid>
    </details>
  )
}

const overlapNames: Definition['overlap'][] = ['allow', 'skip', 'buffer_one']

const overlaps: { value: Definition['overlap']; label: string }[] = [
  { value: 'allow', label: 'start all the same' },
  { value: 'skip', label: 'skip the fire time' },
  { value: 'buffer_one', label: 'start once it has ended' },
]

function numberIn({ value, valueAsNumber }: HTMLInputElement): number | undefined {
  return value === '' ? undefined : valueAsNumber
}
