import { NativeSelect, TextInput } from '@mantine/core'
import { isAdvanced, type Draft } from '../format/draft'
import { overlapNames, overlaps } from '../format/overlap'
import { momentOf, readingAt } from '../format/zone'
import { oneOf } from '../search'
import { Advanced, Fields } from './Advanced'
import { WindowsField } from './WindowsField'

/** The fields of the API that stand below. */
export const advancedFields = ['overlap', 'catch_up_window', 'run_timeout', 'spread', 'max_concurrent', 'per_label', 'retries', 'maintenance_windows', 'starts_at', 'ends_at']

export interface DraftFieldsProps {
  draft: Draft
  /** What the console refuses of a field, by its name in the API. */
  problem: (field: string) => string | undefined
  onChange: (part: Partial<Draft>) => void
}

interface ScheduleOptionsProps extends DraftFieldsProps {
  /** The console refuses something of it: it must be seen. */
  refused: boolean
}

/** What most schedules leave as it is. It is open where a schedule does not, and where something is to be mended. */
export function ScheduleOptions({ refused, ...fields }: ScheduleOptionsProps) {
  return (
    <Advanced opened={isAdvanced(fields.draft)} refused={refused}>
      <OverlapFields {...fields} />
      <PaceFields {...fields} />
      <DateFields {...fields} />
      <WindowsField
        windows={fields.draft.maintenance_windows}
        zone={fields.draft.time_zone}
        problem={fields.problem}
        onChange={(windows) => {
          fields.onChange({ maintenance_windows: windows })
        }}
      />
    </Advanced>
  )
}

/** How runs of one schedule stand to each other. */
function OverlapFields({ draft, problem, onChange }: DraftFieldsProps) {
  return (
    <Fields>
      <NativeSelect
        size="sm"
        label="If the run before goes on"
        description="A node that is being scanned gets no second scan, whatever is chosen"
        value={draft.overlap}
        data={overlaps.map((overlap) => ({ value: overlap, label: overlapNames[overlap] }))}
        error={problem('overlap')}
        onChange={(event) => {
          onChange({ overlap: oneOf(overlaps, event.currentTarget.value) })
        }}
      />
      <OptionField
        field="catch_up_window"
        label="Make up for missed times"
        description="How late, if the console was away: 168h is a week; 0s is never"
        required
        {...{ draft, problem, onChange }}
      />
    </Fields>
  )
}

/** How the nodes of one run follow each other. */
function PaceFields(fields: DraftFieldsProps) {
  const { draft, problem, onChange } = fields
  return (
    <Fields>
      <OptionField field="spread" label="Spread the start over" description="Such as 30m; empty starts all at once" {...fields} />
      <OptionField field="run_timeout" label="Give up after" description="What has not been scanned by then is skipped" required {...fields} />
      <OptionField field="max_concurrent" type="number" label="Scans at once" description="Of one run; empty for any number" {...fields} />
      <OptionField field="retries" type="number" max={10} label="Retries" description="Of a node whose scan failed of what may pass" required {...fields} />
      <TextInput
        label="Limit by label"
        description="Such as zone: nodes with the same value share the limit beside it"
        autoComplete="off"
        value={draft.label}
        error={problem('per_label') ?? problem('per_label.key')}
        onChange={(event) => {
          onChange({ label: event.currentTarget.value })
        }}
      />
      <TextInput
        type="number"
        min={1}
        label="Scans at once for each value"
        description="Nodes without the label count as sharing one value"
        required={draft.label !== ''}
        withAsterisk={false}
        value={draft.most_per_label}
        error={problem('per_label.max')}
        onChange={(event) => {
          onChange({ most_per_label: event.currentTarget.value })
        }}
      />
    </Fields>
  )
}

/** The dates between which a schedule fires. */
function DateFields(fields: DraftFieldsProps) {
  return (
    <Fields>
      <DateField field="starts_at" label="Nothing fires before" description={`In ${fields.draft.time_zone || 'the time zone above'}; empty begins at once`} {...fields} />
      <DateField field="ends_at" label="Nothing fires after" description="Empty for no end" {...fields} />
    </Fields>
  )
}

interface DateFieldProps extends DraftFieldsProps {
  field: 'starts_at' | 'ends_at'
  label: string
  description: string
}

/** A moment on the clocks of the schedule's zone: if the zone is changed, it is shown otherwise and stays what it is. */
function DateField({ field, draft, problem, onChange, ...shown }: DateFieldProps) {
  return (
    <TextInput
      {...shown}
      type="datetime-local"
      step="any"
      max="9999-12-31T23:59"
      autoComplete="off"
      value={readingAt(draft[field], draft.time_zone)}
      error={problem(field)}
      onChange={(event) => {
        onChange({ [field]: momentOf(event.currentTarget.value, draft.time_zone) })
      }}
    />
  )
}

interface OptionFieldProps extends DraftFieldsProps {
  field: 'catch_up_window' | 'run_timeout' | 'spread' | 'max_concurrent' | 'retries'
  label: string
  description: string
  type?: 'text' | 'number'
  max?: number
  required?: boolean
}

/** An option that is written in one field, which is named as the API names it. */
function OptionField({ field, draft, problem, onChange, type = 'text', max, ...shown }: OptionFieldProps) {
  const bounds = type === 'number' ? { min: 0, max } : {}
  return (
    <TextInput
      {...shown}
      {...bounds}
      type={type}
      withAsterisk={false}
      autoComplete="off"
      value={draft[field]}
      error={problem(field)}
      onChange={(event) => {
        onChange({ [field]: event.currentTarget.value })
      }}
    />
  )
}
