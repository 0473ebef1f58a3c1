import { MultiSelect, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { eventTypesQuery } from '../api/rules'
import { typeGroups } from '../format/rule'

interface TypesFieldProps {
  value: string[]
  error: string | undefined
  onChange: (types: string[]) => void
}

/** Which types of event: by name, or all that is about one thing. */
export function TypesField({ value, error, onChange }: TypesFieldProps) {
  const { data: types = [] } = useQuery(eventTypesQuery)
  const docs = new Map(types.map(({ name, doc }) => [name, doc]))
  return (
    <MultiSelect
      size="sm"
      label="What happens"
      description="Types of event; scan.* is everything about scans"
      placeholder={value.length === 0 ? 'Choose types of event' : undefined}
      searchable
      hidePickedOptions
      clearable
      maxDropdownHeight={320}
      nothingFoundMessage="No type is called so"
      classNames={{ pill: 'mono' }}
      clearButtonProps={{ 'aria-label': 'Choose none' }}
      data={typeGroups(types, value)}
      value={value}
      error={error}
      onChange={onChange}
      renderOption={({ option }) => (
        <div>
          <Text fz="sm" className="mono">
            {option.value}
          </Text>
          <Text fz="xs" c="dimmed">
            {docs.get(option.value) ?? 'All of them.'}
          </Text>
        </div>
      )}
    />
  )
}
