import { Checkbox, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { fieldProblem, refusedFields } from '../api/problem'
import { previewQuery } from '../api/schedules'
import { definitionOf, type Draft } from '../format/draft'
import { CronField } from './CronField'
import { PreviewedForm } from './PreviewedForm'
import { advancedFields, ScheduleOptions, type DraftFieldsProps } from './ScheduleOptions'
import { SchedulePreview } from './SchedulePreview'
import { SelectorField } from './SelectorField'
import { TimeZoneField } from './TimeZoneField'

interface ScheduleFormProps {
  /** What the form is for those who cannot see it. */
  name: string
  initial: Draft
  /** Id of the schedule that is edited. */
  schedule?: string
  saving: { isPending: boolean; error: unknown; reset: () => void }
  /** What the button says that saves. */
  action: string
  onSubmit: (draft: Draft) => void
  onClose: () => void
}

const shownFields = ['name', 'cron', 'time_zone', 'selector', ...advancedFields]

/** A schedule as it is made or edited; the console judges it, while it is written and when it is saved. */
export function ScheduleForm({ name, initial, schedule, saving, action, onSubmit, onClose }: ScheduleFormProps) {
  const [draft, setDraft] = useState(initial)
  const [settled] = useDebouncedValue(draft, 400)
  const preview = useQuery(previewQuery(definitionOf(settled), schedule))
  const change = (part: Partial<Draft>) => {
    setDraft({ ...draft, ...part })
    if (saving.error !== null) saving.reset()
  }
  const problem = (field: string) => fieldProblem(saving.error, field) ?? fieldProblem(preview.error, field)
  const refused = [...refusedFields(saving.error), ...refusedFields(preview.error)]
  return (
    <PreviewedForm
      name={name}
      fields={shownFields}
      saving={saving}
      action={action}
      preview={<SchedulePreview preview={preview} zone={settled.time_zone} />}
      onSubmit={() => {
        onSubmit(draft)
      }}
      onClose={onClose}
    >
      <PlainFields draft={draft} problem={problem} onChange={change} />
      <ScheduleOptions draft={draft} problem={problem} refused={refused.some((field) => advancedFields.includes(field))} onChange={change} />
    </PreviewedForm>
  )
}

/** What every schedule says: when, and what. */
function PlainFields({ draft, problem, onChange }: DraftFieldsProps) {
  return (
    <>
      <TextInput
        label="Name"
        required
        withAsterisk={false}
        data-autofocus
        autoComplete="off"
        value={draft.name}
        error={problem('name')}
        onChange={(event) => { onChange({ name: event.currentTarget.value }) }}
      />
      <CronField
        label="When, as cron"
        description="Minute, hour, day of month, month, day of week: 0 3 * * 1-5 is three o'clock from Monday to Friday. Or @hourly, @daily, @weekly, @every 6h."
        value={draft.cron}
        error={problem('cron')}
        onChange={(cron) => { onChange({ cron }) }}
      />
      <TimeZoneField
        label="Time zone"
        description="An IANA name; clock changes are taken into account"
        required
        value={draft.time_zone}
        error={problem('time_zone')}
        onChange={(zone) => { onChange({ time_zone: zone }) }}
      />
      <SelectorField value={draft.selector} error={problem('selector')} onChange={(selector) => { onChange({ selector }) }} />
      <Checkbox
        size="xs"
        label="Enabled: it fires by itself, not only when somebody runs it"
        checked={draft.enabled}
        onChange={(event) => { onChange({ enabled: event.currentTarget.checked }) }}
      />
    </>
  )
}
