import { TextInput } from '@mantine/core'
import { nodeKinds } from '../api/nodes'
import { reportKinds, reportStates, reportTriggers, type ReportFilter } from '../api/report'
import { severities, severityNames } from '../format/severity'
import { triggerNames } from '../format/trigger'
import { isNarrowed } from '../search'
import { FilterBar, FilterBox } from './FilterBar'
import { FilterSelect } from './FilterSelect'

interface ReportFiltersProps {
  filter: ReportFilter
  onChange: (filter: ReportFilter) => void
}

/** The filters of the report. */
export function ReportFilters({ filter, onChange }: ReportFiltersProps) {
  const narrow = (change: ReportFilter) => {
    onChange({ ...filter, ...change })
  }
  const only = filter.run !== undefined ? 'one run' : filter.schedule !== undefined ? 'one schedule' : filter.node !== undefined ? 'one node' : undefined
  return (
    <FilterBar only={only} narrowed={isNarrowed(filter)} onClear={() => { onChange({}) }}>
      <FilterSelect label="Kind" any="Scans and re-matches" options={reportKinds} names={kindNames} value={filter.kind} onChange={(kind) => { narrow({ kind }) }} />
      <FilterSelect label="Trigger" any="Any trigger" options={reportTriggers} names={triggerNames} value={filter.trigger} onChange={(trigger) => { narrow({ trigger }) }} />
      <FilterSelect label="Kind of node" any="Any node" options={nodeKinds} value={filter.node_kind} onChange={(kind) => { narrow({ node_kind: kind }) }} />
      <FilterSelect label="State" any="Any state" options={reportStates} value={filter.state} onChange={(state) => { narrow({ state }) }} />
      <FilterSelect label="Worst severity" any="Any severity" options={severities} names={worstNames} value={filter.worst} onChange={(worst) => { narrow({ worst }) }} />
      <DayField label="From" value={filter.from} onChange={(from) => { narrow({ from }) }} />
      <DayField label="To" value={filter.to} onChange={(to) => { narrow({ to }) }} />
      <FilterBox label="Changed something" checked={filter.changed} onChange={(changed) => { narrow({ changed }) }} />
    </FilterBar>
  )
}

const kindNames = { scan: 'Scans', rematch: 'Re-matches' }

const worstNames = {
  ...severityNames,
  critical: 'Critical or worse',
  high: 'High or worse',
  medium: 'Medium or worse',
  low: 'Low or worse',
  unknown: 'Any finding',
}

/** A day in UTC, as the report counts them. */
function DayField({ label, value, onChange }: { label: string; value: string | undefined; onChange: (day: string | undefined) => void }) {
  return (
    <TextInput
      type="date"
      size="xs"
      aria-label={`${label} (UTC)`}
      title={`${label}, a day in UTC`}
      leftSection={label}
      leftSectionWidth={44}
      value={value ?? ''}
      onChange={(event) => {
        onChange(event.currentTarget.value || undefined)
      }}
    />
  )
}
