import { useQuery } from '@tanstack/react-query'
import { deliveryStates, type DeliveryFilter } from '../api/deliveries'
import { allIntegrationsQuery } from '../api/integrations'
import { allRulesQuery } from '../api/rules'
import { deliveryStateNames } from '../format/delivery'
import { isNarrowed } from '../search'
import { FilterBar } from './FilterBar'
import { FilterSelect } from './FilterSelect'

interface DeliveryFiltersProps {
  filter: DeliveryFilter
  onChange: (filter: DeliveryFilter) => void
}

/** The filters of deliveries. */
export function DeliveryFilters({ filter, onChange }: DeliveryFiltersProps) {
  const { data: integrations = [] } = useQuery(allIntegrationsQuery)
  const { data: rules = [] } = useQuery(allRulesQuery)
  const narrow = (change: DeliveryFilter) => {
    onChange({ ...filter, ...change })
  }
  return (
    <FilterBar narrowed={isNarrowed(filter)} onClear={() => { onChange({}) }}>
      <FilterSelect label="Integration" any="Any integration" {...named(integrations)} value={filter.integration} onChange={(integration) => { narrow({ integration }) }} />
      <FilterSelect label="Rule" any="Any rule" {...named(rules)} value={filter.rule} onChange={(rule) => { narrow({ rule }) }} />
      <FilterSelect label="State" any="Any state" options={deliveryStates} names={deliveryStateNames} value={filter.state} onChange={(state) => { narrow({ state }) }} />
    </FilterBar>
  )
}

/** The options of a filter that asks for an id and shows names. */
function named(all: { id: string; name: string }[]): { options: string[]; names: Record<string, string> } {
  return { options: all.map(({ id }) => id), names: Object.fromEntries(all.map(({ id, name }) => [id, name])) }
}
