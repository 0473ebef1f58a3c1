import { useNavigate } from '@tanstack/react-router'
import { useDeleteRule, useEnableRule, type Rule } from '../api/rules'
import { useMayOperate } from '../api/session'
import { switched } from '../format/rule'
import { useNoticeBoard } from '../notices'
import { ChangeButtons } from './ChangeButtons'
import { DeleteDialog } from './DeleteDialog'
import { EditRuleDialog } from './RuleDialogs'

/** What can be done with a rule, by who may. */
export function RuleActions({ rule }: { rule: Rule }) {
  const mayOperate = useMayOperate()
  const enable = useEnableRule(rule.id)
  if (!mayOperate) return null
  return (
    <ChangeButtons
      enabled={rule.enabled}
      enabling={enable}
      onEnable={(enabled) => {
        enable.mutate(switched(rule, enabled))
      }}
      editDialog={(dialog) => <EditRuleDialog rule={rule} {...dialog} />}
      deleteDialog={(dialog) => <DeleteRuleDialog rule={rule} {...dialog} />}
    />
  )
}

function DeleteRuleDialog({ rule: { id, name }, ...dialog }: { rule: Rule; opened: boolean; onClose: () => void }) {
  const navigate = useNavigate()
  const notices = useNoticeBoard()
  const removing = useDeleteRule(id, async () => {
    await navigate({ to: '/rules' })
    notices.show({ kind: 'done', title: 'Rule deleted', text: `${name} is no longer there.` })
  })
  return (
    <DeleteDialog noun="rule" name={name} removing={removing} {...dialog}>
      What it had to deliver is delivered still. Incidents and issues that it opened stay open on the far side: nothing closes them any more. To stop it for a while, disable it instead.
    </DeleteDialog>
  )
}
