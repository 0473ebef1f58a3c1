import { NativeSelect, Stack, Textarea } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { selectorsQuery } from '../api/schedules'

interface SelectorFieldProps {
  value: string
  error: string | undefined
  onChange: (selector: string) => void
}

/** Which nodes, as CEL; what many want is there to be chosen, and to be changed from there. */
export function SelectorField({ value, error, onChange }: SelectorFieldProps) {
  const choices = useQuery(selectorsQuery)
  const ready = [{ title: 'Every node', selector: 'true' }, ...(choices.data?.items ?? [])]
  const chosen = ready.some(({ selector }) => selector === value) ? value : ''
  return (
    <Stack gap={6}>
      <NativeSelect
        size="sm"
        label="Which nodes"
        value={chosen}
        data={[{ value: '', label: 'As written below', disabled: true }, ...ready.map(({ title, selector }) => ({ value: selector, label: title }))]}
        onChange={(event) => {
          onChange(event.currentTarget.value)
        }}
      />
      <Textarea
        aria-label="Selector"
        description='CEL over node: node.kind == "host" && node.labels["env"] == "production"'
        required
        autosize
        minRows={1}
        spellCheck={false}
        inputWrapperOrder={['input', 'error', 'description']}
        classNames={{ input: 'mono', error: 'mono preformatted' }}
        value={value}
        error={error}
        onChange={(event) => {
          onChange(event.currentTarget.value)
        }}
      />
    </Stack>
  )
}
