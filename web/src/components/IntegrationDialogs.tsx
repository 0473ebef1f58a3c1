import { Button, Modal, Skeleton, Text } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState, type ReactNode } from 'react'
import { kindsQuery, useCreateIntegration, useEditIntegration, useTestSettings, type Integration, type Kind } from '../api/integrations'
import { integrationChangeOf, integrationDraftOf, newIntegrationDraft, newIntegrationOf } from '../format/integration'
import { Choices } from './Choices'
import { IntegrationForm } from './IntegrationForm'
import { kindLook } from './kinds'
import { ProblemAlert } from './ProblemAlert'
import { TrialResult } from './TrialResult'

interface DialogProps {
  opened: boolean
  onClose: () => void
}

/** Asks for the kind, and then for what that kind needs. */
export function AddIntegrationDialog({ opened, onClose }: DialogProps) {
  const [kind, setKind] = useState<Kind>()
  const close = () => {
    onClose()
    setKind(undefined)
  }
  return (
    <IntegrationDialog opened={opened} onClose={close} title={kind === undefined ? 'Add an integration' : `Add ${kind.title}`}>
      {kind === undefined ? <ChooseKind onChoose={setKind} /> : <AddIntegration kind={kind} onDone={close} />}
    </IntegrationDialog>
  )
}

export function EditIntegrationDialog({ integration, opened, onClose }: DialogProps & { integration: Integration }) {
  const kinds = useQuery(kindsQuery)
  const kind = kinds.data?.find(({ name }) => name === integration.kind)
  return (
    <IntegrationDialog opened={opened} onClose={onClose} title={`Edit ${integration.name}`}>
      {kind !== undefined && <EditIntegration integration={integration} kind={kind} onDone={onClose} />}
      {kinds.isError && <ProblemAlert error={kinds.error} />}
    </IntegrationDialog>
  )
}

/** A click beside it does not close it: too much may have been written. */
function IntegrationDialog({ opened, onClose, title, children }: DialogProps & { title: string; children: ReactNode }) {
  return (
    <Modal opened={opened} onClose={onClose} size="48rem" title={<span className="breakable">{title}</span>} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      {children}
    </Modal>
  )
}

function ChooseKind({ onChoose }: { onChoose: (kind: Kind) => void }) {
  const kinds = useQuery(kindsQuery)
  if (kinds.isError) return <ProblemAlert error={kinds.error} onRetry={() => void kinds.refetch()} />
  if (kinds.data === undefined) return <Skeleton height={160} />
  return (
    <>
      <Text fz="sm" mb="sm">
        Where shall notifications go?
      </Text>
      <Choices
        choices={kinds.data.map((kind) => ({ key: kind.name, title: kind.title, ...kindLook(kind) }))}
        onChoose={(key) => {
          const kind = kinds.data.find(({ name }) => name === key)
          if (kind !== undefined) onChoose(kind)
        }}
      />
    </>
  )
}

/** Before it is saved, a test shows whether it will do. */
function AddIntegration({ kind, onDone }: { kind: Kind; onDone: () => void }) {
  const create = useCreateIntegration()
  const test = useTestSettings()
  const [initial] = useState(() => newIntegrationDraft(kind))
  return (
    <IntegrationForm
      name={`Add ${kind.title}`}
      kind={kind}
      initial={initial}
      secrets={[]}
      saving={create}
      refusal={test.error}
      action="Add the integration"
      beside={(draft) => (
        <Button
          variant="default"
          loading={test.isPending}
          onClick={() => {
            test.mutate({ ...newIntegrationOf(kind, draft), name: draft.name || kind.title })
          }}
        >
          Send test
        </Button>
      )}
      onChange={() => {
        if (!test.isIdle) test.reset()
      }}
      onClose={onDone}
      onSubmit={(draft) => {
        create.mutate(newIntegrationOf(kind, draft), { onSuccess: onDone })
      }}
    >
      {test.data !== undefined && <TrialResult trial={test.data} />}
    </IntegrationForm>
  )
}

/** What stood there when it was opened decides what was changed, however often the page reads it meanwhile. */
function EditIntegration({ integration, kind, onDone }: { integration: Integration; kind: Kind; onDone: () => void }) {
  const edit = useEditIntegration(integration.id)
  const [initial] = useState(() => integrationDraftOf(kind, integration))
  return (
    <IntegrationForm
      name="Edit the integration"
      kind={kind}
      initial={initial}
      secrets={integration.secrets}
      saving={edit}
      action="Save the changes"
      onClose={onDone}
      onSubmit={(draft) => {
        edit.mutate(integrationChangeOf(initial, draft), { onSuccess: onDone })
      }}
    />
  )
}
