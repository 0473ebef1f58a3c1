import { Button } from '@mantine/core'
import { useNavigate } from '@tanstack/react-router'
import { useDeleteIntegration, useEnableIntegration, type Integration } from '../api/integrations'
import { useMayAdminister, useMayOperate } from '../api/session'
import { useNoticeBoard } from '../notices'
import { ChangeButtons } from './ChangeButtons'
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
      {mayAdminister && <IntegrationChanges integration={integration} />}
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

function IntegrationChanges({ integration }: { integration: Integration }) {
  const enable = useEnableIntegration(integration.id)
  return (
    <ChangeButtons
      enabled={integration.enabled}
      enabling={enable}
      onEnable={enable.mutate}
      editDialog={(dialog) => <EditIntegrationDialog integration={integration} {...dialog} />}
      deleteDialog={(dialog) => <DeleteIntegrationDialog integration={integration} {...dialog} />}
    />
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
