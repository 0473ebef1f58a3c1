import { Textarea, TextInput } from '@mantine/core'
import { advancedRuleFields, isAdvancedRule, standardLimit, type RuleDraft } from '../format/rule'
import { Advanced, Fields } from './Advanced'
import { QuietField } from './QuietField'
import type { RuleFieldsProps } from './RuleFields'
import { TeamField } from './TeamField'

interface RuleOptionsProps extends RuleFieldsProps {
  /** The fields that the console refuses. */
  refused: string[]
}

/** What most rules leave as it is. */
export function RuleOptions({ refused, ...fields }: RuleOptionsProps) {
  const { draft, problem, onChange } = fields
  return (
    <Advanced opened={isAdvancedRule(draft)} refused={refused.some((field) => advancedRuleFields.includes(field))}>
      <Fields>
        <TeamField value={draft.team} error={problem('team')} onChange={(team) => { onChange({ team }) }} />
        <NumberField field="min_nodes" label="Only once it is on so many nodes" description="For one notification a vulnerability" {...fields} />
        <NumberField field="limit" label="At most in ten minutes" description={`What is more is told together; empty is ${standardLimit}`} {...fields} />
      </Fields>
      <QuietField quiet={draft.quiet} problem={problem} onChange={(quiet) => { onChange({ quiet }) }} />
      <TemplateField field="title" label="Title" description="A template; empty for Patrol's own words. {{.Severity}}: {{.Title}}" {...fields} />
      <TemplateField field="text" label="Text" description="{{range first 5 .Findings}}{{.Vulnerability}} on {{.Node.Name}}, fixed in {{join &quot;, &quot; .Fixed}}{{end}}" {...fields} />
    </Advanced>
  )
}

interface NumberFieldProps extends RuleFieldsProps {
  field: 'min_nodes' | 'limit'
  label: string
  description: string
}

function NumberField({ field, draft, problem, onChange, ...shown }: NumberFieldProps) {
  return (
    <TextInput
      {...shown}
      type="number"
      min={0}
      autoComplete="off"
      value={draft[field]}
      error={problem(field)}
      onChange={(event) => {
        onChange({ [field]: event.currentTarget.value })
      }}
    />
  )
}

interface TemplateFieldProps extends RuleFieldsProps {
  field: Extract<keyof RuleDraft, 'title' | 'text'>
  label: string
  description: string
}

/** Words in the rule's own manner, as Go's text/template. */
function TemplateField({ field, draft, problem, onChange, ...shown }: TemplateFieldProps) {
  return (
    <Textarea
      {...shown}
      size="sm"
      autosize
      minRows={field === 'title' ? 1 : 3}
      spellCheck={false}
      inputWrapperOrder={['label', 'input', 'error', 'description']}
      classNames={{ input: 'mono', error: 'mono preformatted', description: 'breakable' }}
      value={draft[field]}
      error={problem(field)}
      onChange={(event) => {
        onChange({ [field]: event.currentTarget.value })
      }}
    />
  )
}
