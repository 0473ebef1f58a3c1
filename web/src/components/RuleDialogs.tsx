import { Modal, Skeleton, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { readyRulesQuery, useCreateRule, useEditRule, type Rule, type RuleDefinition } from '../api/rules'
import { newRuleDraft, ruleDefinitionOf, ruleDraftOf, type RuleDraft } from '../format/rule'
import { useNoticeBoard } from '../notices'
import { Choices } from './Choices'
import { ProblemAlert } from './ProblemAlert'
import { RuleForm } from './RuleForm'

interface DialogProps {
  opened: boolean
  onClose: () => void
}

/** Asks what to begin with, and then for the rest. */
export function NewRuleDialog({ opened, onClose }: DialogProps) {
  const [initial, setInitial] = useState<RuleDraft>()
  const close = () => {
    onClose()
    setInitial(undefined)
  }
  return (
    <RuleDialog opened={opened} onClose={close} title="New rule" size={initial === undefined ? '48rem' : '66rem'}>
      {initial === undefined ? <ChooseBeginning onChoose={setInitial} /> : <NewRule initial={initial} onDone={close} />}
    </RuleDialog>
  )
}

export function EditRuleDialog({ rule, ...props }: DialogProps & { rule: Rule }) {
  return (
    <RuleDialog {...props} title={`Edit ${rule.name}`} size="66rem">
      <EditRule rule={rule} onDone={props.onClose} />
    </RuleDialog>
  )
}

/** A click beside it does not close it: too much may have been written. */
function RuleDialog({ opened, onClose, title, size, children }: DialogProps & { title: string; size: string; children: ReactNode }) {
  return (
    <Modal opened={opened} onClose={onClose} size={size} title={<span className="breakable">{title}</span>} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      {children}
    </Modal>
  )
}

function ChooseBeginning({ onChoose }: { onChoose: (draft: RuleDraft) => void }) {
  const ready = useQuery(readyRulesQuery)
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  if (ready.isError) return <ProblemAlert error={ready.error} onRetry={() => void ready.refetch()} />
  if (ready.data === undefined) return <Skeleton height={160} />
  const choices = ready.data.map((rule) => ({ key: rule.name, title: rule.name, text: beginningText(rule) }))
  return (
    <>
      <Text fz="sm" mb="sm">
        What shall it tell of? Everything can be changed from there.
      </Text>
      <Choices
        choices={[...choices, { key: '', title: 'Empty', text: 'begin from nothing' }]}
        onChoose={(key) => {
          const rule = ready.data.find(({ name }) => name === key)
          onChoose(rule === undefined ? newRuleDraft(zone) : { ...ruleDraftOf(rule), time_zone: zone })
        }}
      />
    </>
  )
}

function beginningText(rule: RuleDefinition): string {
  return `${rule.types.join(', ') || 'a sign of life'}, ${rule.digest === undefined ? 'at once' : 'together'}`
}

function NewRule({ initial, onDone }: { initial: RuleDraft; onDone: () => void }) {
  const create = useCreateRule()
  const saved = useSaved(onDone)
  return (
    <RuleForm
      name="New rule"
      initial={initial}
      saving={create}
      action="Create the rule"
      onClose={onDone}
      onSubmit={(draft) => {
        create.mutate(ruleDefinitionOf(draft), { onSuccess: saved })
      }}
    />
  )
}

function EditRule({ rule, onDone }: { rule: Rule; onDone: () => void }) {
  const edit = useEditRule(rule.id)
  const saved = useSaved(onDone)
  const [initial] = useState(() => ruleDraftOf(rule))
  return (
    <RuleForm
      name="Edit the rule"
      initial={initial}
      saving={edit}
      action="Save the changes"
      onClose={onDone}
      onSubmit={(draft) => {
        edit.mutate(ruleDefinitionOf(draft), { onSuccess: saved })
      }}
    />
  )
}

/** Closes what it was saved in, and says what is odd about it. */
function useSaved(onDone: () => void): (rule: Rule) => void {
  const notices = useNoticeBoard()
  return ({ name, warning }) => {
    onDone()
    if (warning !== undefined) notices.show({ kind: 'done', title: 'Rule saved', text: `${name}: ${warning}.` })
  }
}
