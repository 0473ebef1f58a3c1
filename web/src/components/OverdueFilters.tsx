import { Button, Checkbox, Group, Text } from '@mantine/core'
import type { OverdueFilter } from '../api/occurrences'
import { severities, severityNames } from '../format/severity'
import { isNarrowed } from '../search'
import { FilterSelect } from './FilterSelect'

interface OverdueFiltersProps {
  filter: OverdueFilter
  onChange: (filter: OverdueFilter) => void
}

/** The filters of what is overdue, which the address holds. */
export function OverdueFilters({ filter, onChange }: OverdueFiltersProps) {
  const narrow = (change: OverdueFilter) => {
    onChange({ ...filter, ...change })
  }
  const only = [filter.vulnerability, filter.package, filter.node && 'one node'].filter((each) => each !== undefined)
  return (
    <Group role="group" aria-label="Filters" gap="xs" mb="xs">
      <FilterSelect label="Severity" any="Any severity" options={severities} names={severityNames} value={filter.severity} onChange={(severity) => { narrow({ severity }) }} />
      <Checkbox
        size="xs"
        label="Known to be exploited"
        checked={filter.kev ?? false}
        onChange={(event) => {
          narrow({ kev: event.currentTarget.checked || undefined })
        }}
      />
      <Checkbox
        size="xs"
        label="A fix is known"
        checked={filter.fixable ?? false}
        onChange={(event) => {
          narrow({ fixable: event.currentTarget.checked || undefined })
        }}
      />
      {only.length > 0 && (
        <Text fz="xs" fw={600} className="breakable">
          Only of {only.join(', ')}
        </Text>
      )}
      {isNarrowed(filter) && (
        <Button variant="subtle" onClick={() => { onChange({}) }}>
          Clear
        </Button>
      )}
    </Group>
  )
}
