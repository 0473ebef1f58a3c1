import { Textarea } from '@mantine/core'

interface ConditionFieldProps {
  value: string
  error: string | undefined
  onChange: (when: string) => void
}

/** Which of the events, as CEL; what is refused of it points at the place. */
export function ConditionField({ value, error, onChange }: ConditionFieldProps) {
  return (
    <Textarea
      size="sm"
      label="Only if"
      description='CEL over event, findings and node; empty for always. findings.exists(f, f.severity == "critical" && f.fixable) && node.labels["env"] == "production"'
      autosize
      minRows={2}
      spellCheck={false}
      inputWrapperOrder={['label', 'input', 'error', 'description']}
      classNames={{ input: 'mono', error: 'mono preformatted' }}
      value={value}
      error={error}
      onChange={(event) => {
        onChange(event.currentTarget.value)
      }}
    />
  )
}
