import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { useDeleteRule, useEnableRule, type Rule } from '../api/rules'
import { useMayOperate } from '../api/session'
import { switched } from '../format/rule'
import { useNoticeBoard } from '../notices'
import { DeleteDialog } from './DeleteDialog'
import { EditRuleDialog } from './RuleDialogs'

/** What can be done with a rule, by who may. */
export function RuleActions({ rule }: { rule: Rule }) {
  const mayOperate = useMayOperate()
  const [editing, edit] = useDisclosure(false)
  const [deleting, remove] = useDisclosure(false)
  const enable = useEnableRule(rule.id)
  if (!mayOperate) return null
  return (
    <>
      <Button variant="default" onClick={remove.open}>
        Delete
      </Button>
      <Button
        variant="default"
        loading={enable.isPending}
        onClick={() => {
          enable.mutate(switched(rule, !rule.enabled))
        }}
      >
        {rule.enabled ? 'Disable' : 'Enable'}
      </Button>
      <Button variant="default" onClick={edit.open}>
        Edit
      </Button>
      <EditRuleDialog rule={rule} opened={editing} onClose={edit.close} />
      <DeleteRuleDialog rule={rule} opened={deleting} onClose={remove.close} />
    </>
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
