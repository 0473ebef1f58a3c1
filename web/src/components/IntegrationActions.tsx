import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useNavigate } from '@tanstack/react-router'
import { useDeleteIntegration, useEnableIntegration, type Integration } from '../api/integrations'
import { useMayAdminister, useMayOperate } from '../api/session'
import { useNoticeBoard } from '../notices'
import { DeleteDialog } from './DeleteDialog'
import { EditIntegrationDialog } from './IntegrationDialogs'

interface IntegrationActionsProps {
  integration: Integration
  testing: { isPending: boolean; mutate: () => void }
}

/** What can be done with an integration, by who may: administrators change it, operators send tests. */
export function IntegrationActions({ integration, testing }: IntegrationActionsProps) {
  const mayAdminister = useMayAdminister()
  const mayOperate = useMayOperate()
  return (
    <>
      {mayAdminister && <ChangeButtons integration={integration} />}
      {mayOperate && (
        <Button
          loading={testing.isPending}
          onClick={() => {
            testing.mutate()
          }}
        >
          Send test
        </Button>
      )}
    </>
  )
}

function ChangeButtons({ integration }: { integration: Integration }) {
  const [editing, edit] = useDisclosure(false)
  const [deleting, remove] = useDisclosure(false)
  const enable = useEnableIntegration(integration.id)
  return (
    <>
      <Button variant="default" onClick={remove.open}>
        Delete
      </Button>
      <Button
        variant="default"
        loading={enable.isPending}
        onClick={() => {
          enable.mutate(!integration.enabled)
        }}
      >
        {integration.enabled ? 'Disable' : 'Enable'}
      </Button>
      <Button variant="default" onClick={edit.open}>
        Edit
      </Button>
      <EditIntegrationDialog integration={integration} opened={editing} onClose={edit.close} />
      <DeleteIntegrationDialog integration={integration} opened={deleting} onClose={remove.close} />
    </>
  )
}

function DeleteIntegrationDialog({ integration: { id, name }, ...dialog }: { integration: Integration; opened: boolean; onClose: () => void }) {
  const navigate = useNavigate()
  const notices = useNoticeBoard()
  const removing = useDeleteIntegration(id, async () => {
    await navigate({ to: '/integrations' })
    notices.show({ kind: 'done', title: 'Integration deleted', text: `${name} is no longer there.` })
  })
  return (
    <DeleteDialog noun="integration" name={name} removing={removing} {...dialog}>
      What waits for it is not sent, and the record of its deliveries goes with it. What it has been told stays on the far side. To stop it for a while, disable it instead.
    </DeleteDialog>
  )
}
