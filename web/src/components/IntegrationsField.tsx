import { MultiSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { allIntegrationsQuery } from '../api/integrations'

interface IntegrationsFieldProps {
  value: string[]
  error: string | undefined
  onChange: (integrations: string[]) => void
}

/** Where to. A rule may have none yet, and then tells nobody. */
export function IntegrationsField({ value, error, onChange }: IntegrationsFieldProps) {
  const { data: all = [], isSuccess } = useQuery(allIntegrationsQuery)
  const none = isSuccess && all.length === 0
  return (
    <MultiSelect
      size="sm"
      label="Where to"
      description={none ? 'There is no integration yet: the rule can be made, and told where to later' : undefined}
      placeholder={value.length === 0 ? 'Choose integrations' : undefined}
      disabled={none}
      searchable
      hidePickedOptions
      nothingFoundMessage="No integration is called so"
      data={all.map(({ id, name }) => ({ value: id, label: name }))}
      value={value}
      error={error}
      onChange={onChange}
    />
  )
}
