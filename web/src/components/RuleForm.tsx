import { useDebouncedValue } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { fieldProblem, refusedFields } from '../api/problem'
import { rulePreviewQuery } from '../api/rules'
import { advancedRuleFields, isAbout, ruleDefinitionOf, type RuleDraft } from '../format/rule'
import { PreviewedForm } from './PreviewedForm'
import { plainRuleFields, RuleFields } from './RuleFields'
import { RuleOptions } from './RuleOptions'
import { RulePreview } from './RulePreview'

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

const shownFields = [...plainRuleFields, ...advancedRuleFields]

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
  return (
    <PreviewedForm
      name={name}
      fields={shownFields}
      saving={saving}
      action={action}
      preview={<RulePreview preview={preview} isAbout={isAbout(settled)} />}
      onSubmit={() => {
        onSubmit(draft)
      }}
      onClose={onClose}
    >
      <RuleFields draft={draft} problem={problem} onChange={change} />
      <RuleOptions draft={draft} problem={problem} refused={refused} onChange={change} />
    </PreviewedForm>
  )
}
