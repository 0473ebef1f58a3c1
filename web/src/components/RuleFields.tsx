import { Checkbox, NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { eventTypesQuery } from '../api/rules'
import { groupingNames, groupings, isAboutFindings, type RuleDraft } from '../format/rule'
import { oneOf } from '../search'
import { ConditionField } from './ConditionField'
import { DigestField } from './DigestField'
import { IntegrationsField } from './IntegrationsField'
import { TimeZoneField } from './TimeZoneField'
import { TypesField } from './TypesField'

export interface RuleFieldsProps {
  draft: RuleDraft
  /** What the console refuses of a field, by its name in the API. */
  problem: (field: string) => string | undefined
  onChange: (part: Partial<RuleDraft>) => void
}

/** The fields of the API that stand below. */
export const plainRuleFields = ['name', 'types', 'when', 'integrations', 'group_by', 'digest', 'time_zone', 'even_if_empty', 'resolved', 'enabled']

/** What every rule says: of what, where to, and when. */
export function RuleFields(fields: RuleFieldsProps) {
  const { draft, problem, onChange } = fields
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
      <TypesField value={draft.types} error={problem('types')} onChange={(types) => { onChange({ types }) }} />
      <ConditionField value={draft.when} error={problem('when')} onChange={(when) => { onChange({ when }) }} />
      <IntegrationsField value={draft.integrations} error={problem('integrations') ?? problem('integrations[0]')} onChange={(integrations) => { onChange({ integrations }) }} />
      <Grouping {...fields} />
      <DigestField value={draft.digest} error={problem('digest')} onChange={(digest) => { onChange({ digest, even_if_empty: draft.even_if_empty && digest !== '' }) }} />
      {(draft.digest !== '' || draft.quiet.length > 0) && (
        <TimeZoneField
          label="Time zone"
          description="An IANA name, of the digest and of quiet hours"
          value={draft.time_zone}
          error={problem('time_zone')}
          onChange={(zone) => { onChange({ time_zone: zone }) }}
        />
      )}
      {draft.digest !== '' && (
        <Tick label="It comes though there is nothing to tell, so that silence is an alarm" checked={draft.even_if_empty} error={problem('even_if_empty')} onChange={(checked) => { onChange({ even_if_empty: checked }) }} />
      )}
      <Tick label="Chats are told of what is resolved, too (incidents and issues are always closed)" checked={draft.resolved} error={problem('resolved')} onChange={(resolved) => { onChange({ resolved }) }} />
      <Tick label="Enabled" checked={draft.enabled} error={problem('enabled')} onChange={(enabled) => { onChange({ enabled }) }} />
    </>
  )
}

/** It matters for findings alone. */
function Grouping({ draft, problem, onChange }: RuleFieldsProps) {
  const { data: types = [] } = useQuery(eventTypesQuery)
  if (!isAboutFindings(draft.types, types)) return null
  return (
    <NativeSelect
      size="sm"
      label="One notification for each"
      value={draft.group_by}
      data={groupings.map((grouping) => ({ value: grouping, label: groupingNames[grouping] }))}
      error={problem('group_by')}
      onChange={(event) => {
        onChange({ group_by: oneOf(groupings, event.currentTarget.value) ?? draft.group_by })
      }}
    />
  )
}

interface TickProps {
  label: string
  checked: boolean
  error: string | undefined
  onChange: (checked: boolean) => void
}

function Tick({ onChange, ...shown }: TickProps) {
  return (
    <Checkbox
      size="xs"
      {...shown}
      onChange={(event) => {
        onChange(event.currentTarget.checked)
      }}
    />
  )
}
