import { Box, Button, Code, Group, Stack, Text, TextInput } from '@mantine/core'
import { useState, type ReactNode, type SubmitEvent } from 'react'
import type { Kind } from '../api/integrations'
import { fieldProblem, refusedFields } from '../api/problem'
import { guideOf, type IntegrationDraft } from '../format/integration'
import { Advanced } from './Advanced'
import { ProblemAlert } from './ProblemAlert'
import { SettingField } from './SettingField'
import { bringIntoSight } from './sight'

interface IntegrationFormProps {
  /** What the form is for those who cannot see it. */
  name: string
  kind: Kind
  initial: IntegrationDraft
  /** Secret fields that are set already. */
  secrets: string[]
  saving: { isPending: boolean; error: unknown; reset: () => void }
  /** What else refused the settings. */
  refusal?: unknown
  /** What the button says that saves. */
  action: string
  /** Stands above the buttons: what came of a test. */
  children?: ReactNode
  /** A button beside the one that saves, which is told what the form says. */
  beside?: (draft: IntegrationDraft) => ReactNode
  onChange?: () => void
  onSubmit: (draft: IntegrationDraft) => void
  onClose: () => void
}

/** An integration as it is added or edited: its kind says what is asked. */
export function IntegrationForm({ name, kind, initial, secrets, saving, refusal, action, children, beside, onChange, onSubmit, onClose }: IntegrationFormProps) {
  const [draft, setDraft] = useState(initial)
  const change = (part: Partial<IntegrationDraft>) => {
    setDraft({ ...draft, ...part })
    if (saving.error !== null) saving.reset()
    onChange?.()
  }
  const problem = (field: string) => fieldProblem(saving.error, field) ?? fieldProblem(refusal, field)
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    onSubmit(draft)
  }
  return (
    <form onSubmit={submit} aria-label={name}>
      <Stack gap="sm">
        <Guide kind={kind} />
        <TextInput
          label="Name"
          description="What rules and people call it"
          required
          data-autofocus
          autoComplete="off"
          value={draft.name}
          error={problem('name')}
          onChange={(event) => { change({ name: event.currentTarget.value }) }}
        />
        {kind.fields.map((field) => (
          <SettingField
            key={field.name}
            field={field}
            value={draft.settings[field.name] ?? ''}
            isSet={secrets.includes(field.name)}
            removed={draft.removed.includes(field.name)}
            error={problem(`settings.${field.name}`)}
            onChange={(value) => { change({ settings: { ...draft.settings, [field.name]: value } }) }}
            onRemove={(removed) => {
              change({
                settings: { ...draft.settings, [field.name]: '' },
                removed: removed ? [...draft.removed, field.name] : draft.removed.filter((each) => each !== field.name),
              })
            }}
          />
        ))}
        <Advanced opened={draft.per_minute !== ''} refused={problem('per_minute') !== undefined}>
          <TextInput
            label="Deliveries in a minute"
            description="At most; empty for any number"
            type="number"
            min={0}
            value={draft.per_minute}
            error={problem('per_minute')}
            onChange={(event) => { change({ per_minute: event.currentTarget.value }) }}
          />
        </Advanced>
        {children}
        <Refusal error={saving.error} kind={kind} />
        <Refusal error={refusal} kind={kind} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Close
          </Button>
          {beside?.(draft)}
          <Button type="submit" loading={saving.isPending}>
            {action}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

/** Where it stands what to create on the far side. */
function Guide({ kind }: { kind: Kind }) {
  return (
    <Text fz="xs" c="dimmed">
      What to create on the far side first, and how to mend what fails: <Code>{guideOf(kind.name)}</Code>
    </Text>
  )
}

/** What is refused that stands at none of the fields. */
function Refusal({ error, kind }: { error: unknown; kind: Kind }) {
  if (error === null || error === undefined || isShown(error, kind)) return null
  return (
    <Box ref={bringIntoSight}>
      <ProblemAlert error={error} />
    </Box>
  )
}

function isShown(error: unknown, kind: Kind): boolean {
  const shown = ['name', 'per_minute', ...kind.fields.map((field) => `settings.${field.name}`)]
  return refusedFields(error).length > 0 && shown.some((field) => fieldProblem(error, field) !== undefined)
}
