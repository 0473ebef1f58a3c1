import { TextInput } from '@mantine/core'

interface CronFieldProps {
  label: string
  description?: string
  value: string
  error: string | undefined
  onChange: (cron: string) => void
}

/** An expression of cron; what is refused of it points at the place. */
export function CronField({ onChange, ...field }: CronFieldProps) {
  return (
    <TextInput
      {...field}
      required
      withAsterisk={false}
      classNames={{ input: 'mono', error: 'mono preformatted' }}
      autoComplete="off"
      onChange={(event) => {
        onChange(event.currentTarget.value)
      }}
    />
  )
}
