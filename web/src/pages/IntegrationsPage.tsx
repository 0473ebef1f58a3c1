import { Button, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconPlugConnected, IconPlus } from '@tabler/icons-react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { integrationsQuery, kindsQuery, type Integration } from '../api/integrations'
import { useMayAdminister } from '../api/session'
import { EmptyNote } from '../components/EmptyNote'
import { AddIntegrationDialog } from '../components/IntegrationDialogs'
import { IntegrationStanding } from '../components/IntegrationStanding'
import { ListTable, type Column } from '../components/ListTable'
import { NotificationTabs } from '../components/NotificationTabs'
import { PageHeader } from '../components/PageHeader'
import { TextLink } from '../components/TextLink'
import { RelativeTime } from '../components/Time'

const columns: Column<Integration>[] = [
  { key: 'name', header: 'Name and kind', width: '26%', cell: (integration) => <NameAndKind integration={integration} /> },
  { key: 'state', header: 'State', cell: (integration) => <IntegrationStanding integration={integration} /> },
  { key: 'delivered', header: 'Last delivered', width: '15%', cell: ({ delivered_at: moment }) => <RelativeTime moment={moment} /> },
  { key: 'pending', header: 'Waiting', width: 80, numeric: true, cell: ({ id, pending }) => <DeliveryCount integration={id} state="pending" count={pending} /> },
  { key: 'dead', header: 'Given up', width: 84, numeric: true, cell: ({ id, dead }) => <DeliveryCount integration={id} state="dead" count={dead} /> },
]

export function IntegrationsPage() {
  const list = useInfiniteQuery(integrationsQuery())
  const mayAdminister = useMayAdminister()
  const [adding, { open, close }] = useDisclosure(false)
  return (
    <>
      <PageHeader title="Integrations">
        {mayAdminister && (
          <Button leftSection={<IconPlus size={14} aria-hidden />} onClick={open}>
            Add integration
          </Button>
        )}
      </PageHeader>
      <NotificationTabs />
      <ListTable name="Integrations" list={list} columns={columns} rowKey={({ id }) => id} empty={<NoIntegrations onAdd={mayAdminister ? open : undefined} />} />
      <AddIntegrationDialog opened={adding} onClose={close} />
    </>
  )
}

function NameAndKind({ integration: { id, name, kind } }: { integration: Integration }) {
  const { data: kinds } = useQuery(kindsQuery)
  return (
    <>
      <TextLink to="/integrations/$id" params={{ id }} fw={600} className="breakable">
        {name}
      </TextLink>
      <Text fz="xs" c="dimmed">
        {kinds?.find((each) => each.name === kind)?.title ?? kind}
      </Text>
    </>
  )
}

function DeliveryCount({ integration, state, count }: { integration: string; state: 'pending' | 'dead'; count: number }) {
  if (count === 0) return <Text span inherit c="dimmed">0</Text>
  return (
    <TextLink to="/deliveries" search={{ integration, state }} fw={600} c={state === 'dead' ? 'var(--state-bad)' : undefined}>
      {count.toLocaleString('en')}
    </TextLink>
  )
}

function NoIntegrations({ onAdd }: { onAdd: (() => void) | undefined }) {
  return (
    <EmptyNote icon={IconPlugConnected} title="No integration yet" action={onAdd && <Button onClick={onAdd}>Add integration</Button>}>
      An integration is where notifications go: a channel, an incident service, a tracker, a data store. {onAdd === undefined && 'Administrators add them.'}
    </EmptyNote>
  )
}
