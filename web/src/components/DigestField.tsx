import { NativeSelect, Stack } from '@mantine/core'
import { useState } from 'react'
import { readyDigests } from '../format/rule'
import { CronField } from './CronField'

interface DigestFieldProps {
  value: string
  error: string | undefined
  onChange: (digest: string) => void
}

/** When: at once, or together at the times of a cron expression, which may be changed from there. */
export function DigestField({ value, error, onChange }: DigestFieldProps) {
  const [together, setTogether] = useState(value !== '')
  const ready = readyDigests.some(({ digest }) => digest === value)
  return (
    <Stack gap={6}>
      <NativeSelect
        size="sm"
        label="When"
        value={together ? (ready && value !== '' ? value : other) : ''}
        data={[{ value: '', label: 'At once' }, ...readyDigests.map(({ digest, title }) => ({ value: digest, label: title })), { value: other, label: 'Together, at other times' }]}
        onChange={(event) => {
          const chosen = event.currentTarget.value
          setTogether(chosen !== '')
          onChange(chosen === other ? weekdayMornings : chosen)
        }}
      />
      {together && <CronField label="Digest, as cron" description="Minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly" value={value} error={error} onChange={onChange} />}
    </Stack>
  )
}

const other = 'other'

/** An expression to change. */
const weekdayMornings = '0 8 * * 1-5'
