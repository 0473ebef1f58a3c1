import { NativeSelect, Stack } from '@mantine/core'
import { readyDigests } from '../format/rule'
import { CronField } from './CronField'

interface DigestFieldProps {
  value: string
  error: string | undefined
  onChange: (digest: string) => void
}

/** When: at once, or together at the times of a cron expression, which may be changed from there. */
export function DigestField({ value, error, onChange }: DigestFieldProps) {
  const chosen = readyDigests.some(({ digest }) => digest === value) ? value : 'other'
  return (
    <Stack gap={6}>
      <NativeSelect
        size="sm"
        label="When"
        value={chosen}
        data={[...readyDigests.map(({ digest, title }) => ({ value: digest, label: title })), { value: 'other', label: 'Together, as written below', disabled: true }]}
        onChange={(event) => {
          onChange(event.currentTarget.value)
        }}
      />
      <CronField label="Digest, as cron" description="Empty is at once" required={false} value={value} error={error} onChange={onChange} />
    </Stack>
  )
}
