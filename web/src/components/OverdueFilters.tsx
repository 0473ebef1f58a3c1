import type { OverdueFilter } from '../api/occurrences'
import { severities, severityNames } from '../format/severity'
import { isNarrowed } from '../search'
import { FilterBar, FilterBox } from './FilterBar'
import { FilterSelect } from './FilterSelect'

interface OverdueFiltersProps {
  filter: OverdueFilter
  onChange: (filter: OverdueFilter) => void
}

/** The filters of what is overdue. */
export function OverdueFilters({ filter, onChange }: OverdueFiltersProps) {
  const narrow = (change: OverdueFilter) => {
    onChange({ ...filter, ...change })
  }
  const only = [filter.vulnerability, filter.package, filter.node && 'one node'].filter((each) => each !== undefined)
  return (
    <FilterBar only={only.length > 0 ? only.join(', ') : undefined} narrowed={isNarrowed(filter)} onClear={() => { onChange({}) }}>
      <FilterSelect label="Severity" any="Any severity" options={severities} names={severityNames} value={filter.severity} onChange={(severity) => { narrow({ severity }) }} />
      <FilterBox label="Known to be exploited" checked={filter.kev} onChange={(kev) => { narrow({ kev }) }} />
      <FilterBox label="A fix is known" checked={filter.fixable} onChange={(fixable) => { narrow({ fixable }) }} />
    </FilterBar>
  )
}
