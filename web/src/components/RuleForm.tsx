import { Box, Button, Grid, Group, Stack } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState, type SubmitEvent } from 'react'
import { fieldProblem, refusedFields } from '../api/problem'
import { rulePreviewQuery } from '../api/rules'
import { advancedRuleFields, isAbout, ruleDefinitionOf, type RuleDraft } from '../format/rule'
import { ProblemAlert } from './ProblemAlert'
import { plainRuleFields, RuleFields } from './RuleFields'
import { RuleOptions } from './RuleOptions'
import { RulePreview } from './RulePreview'
import { bringIntoSight } from './sight'

interface RuleFormProps {
  /** What the form is for those who cannot see it. */
  name: string
  initial: RuleDraft
  saving: { isPending: boolean; error: unknown; reset: () => void }
  /** What the button says that saves. */
  action: string
  onSubmit: (draft: RuleDraft) => void
  onClose: () => void
}

/** A rule as it is made or edited; the console judges it, while it is written and when it is saved. */
export function RuleForm({ name, initial, saving, action, onSubmit, onClose }: RuleFormProps) {
  const [draft, setDraft] = useState(initial)
  const [settled] = useDebouncedValue(draft, 500)
  const preview = useQuery({ ...rulePreviewQuery(ruleDefinitionOf(settled)), enabled: isAbout(settled) })
  const change = (part: Partial<RuleDraft>) => {
    setDraft({ ...draft, ...part })
    if (saving.error !== null) saving.reset()
  }
  const problem = (field: string) => fieldProblem(saving.error, field) ?? fieldProblem(preview.error, field)
  const refused = [...refusedFields(saving.error), ...refusedFields(preview.error)]
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    onSubmit(draft)
  }
  return (
    <form onSubmit={submit} aria-label={name}>
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, sm: 7 }}>
          <Stack gap="sm">
            <RuleFields draft={draft} problem={problem} onChange={change} />
            <RuleOptions draft={draft} problem={problem} refused={refused} onChange={change} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, sm: 5 }}>
          <RulePreview preview={preview} isAbout={isAbout(settled)} />
        </Grid.Col>
      </Grid>
      {saving.error !== null && !isShown(saving.error) && (
        <Box mt="md" ref={bringIntoSight}>
          <ProblemAlert error={saving.error} />
        </Box>
      )}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
        <Button type="submit" loading={saving.isPending}>
          {action}
        </Button>
      </Group>
    </form>
  )
}

/** Whether a refusal stands at its fields; any other stands by the button that met it. */
function isShown(error: unknown): boolean {
  const fields = refusedFields(error)
  return fields.length > 0 && fields.every((field) => plainRuleFields.includes(field) || advancedRuleFields.includes(field))
}
