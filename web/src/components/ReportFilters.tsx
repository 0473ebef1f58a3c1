import { Button, Checkbox, Group, Text, TextInput } from '@mantine/core'
import { nodeKinds } from '../api/nodes'
import { reportKinds, reportStates, reportTriggers, type ReportFilter } from '../api/report'
import { severities, severityNames } from '../format/severity'
import { triggerNames } from '../format/trigger'
import { isNarrowed } from '../search'
import { FilterSelect } from './FilterSelect'

interface ReportFiltersProps {
  filter: ReportFilter
  onChange: (filter: ReportFilter) => void
}

/** The filters of the report, which the address holds: a view can be sent to somebody. */
export function ReportFilters({ filter, onChange }: ReportFiltersProps) {
  const narrow = (change: ReportFilter) => {
    onChange({ ...filter, ...change })
  }
  return (
    <Group role="group" aria-label="Filters" gap="xs" mb="xs">
      <FilterSelect label="Kind" any="Scans and re-matches" options={reportKinds} names={kindNames} value={filter.kind} onChange={(kind) => { narrow({ kind }) }} />
      <FilterSelect label="Trigger" any="Any trigger" options={reportTriggers} names={triggerNames} value={filter.trigger} onChange={(trigger) => { narrow({ trigger }) }} />
      <FilterSelect label="Kind of node" any="Any node" options={nodeKinds} value={filter.node_kind} onChange={(kind) => { narrow({ node_kind: kind }) }} />
      <FilterSelect label="State" any="Any state" options={reportStates} value={filter.state} onChange={(state) => { narrow({ state }) }} />
      <FilterSelect label="Worst severity" any="Any severity" options={severities} names={worstNames} value={filter.worst} onChange={(worst) => { narrow({ worst }) }} />
      <DayField label="From" value={filter.from} onChange={(from) => { narrow({ from }) }} />
      <DayField label="To" value={filter.to} onChange={(to) => { narrow({ to }) }} />
      <Checkbox
        size="xs"
        label="Changed something"
        checked={filter.changed ?? false}
        onChange={(event) => {
          narrow({ changed: event.currentTarget.checked || undefined })
        }}
      />
      {(filter.run ?? filter.schedule ?? filter.node) !== undefined && (
        <Text fz="xs" fw={600}>
          Only of one {filter.run !== undefined ? 'run' : filter.schedule !== undefined ? 'schedule' : 'node'}
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
