import { Button, Text } from '@mantine/core'
import { IconSend } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { deliveriesQuery, useRedeliver, type Delivery, type DeliveryFilter } from '../api/deliveries'
import { useIntegrationNames } from '../api/integrations'
import { useRuleNames } from '../api/rules'
import { useMayOperate } from '../api/session'
import { useNoticeBoard } from '../notices'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { DeliveryStateLabel } from './State'
import { TextLink } from './TextLink'
import { NextTry, RelativeTime } from './Time'

/** What became of notifications, newest first; what the filter names is not repeated. */
export function DeliveriesTable({ filter, empty }: { filter: DeliveryFilter; empty?: string }) {
  const list = useInfiniteQuery(deliveriesQuery(filter))
  const integrations = useIntegrationNames()
  const rules = useRuleNames()
  const mayOperate = useMayOperate()
  const columns: Column<Delivery>[] = [
    { key: 'when', header: 'When', width: 110, cell: ({ created_at: moment }) => <RelativeTime moment={moment} /> },
    { key: 'title', header: 'Notification', cell: (delivery) => <Title delivery={delivery} rule={filter.rule === undefined ? rules[delivery.rule] : undefined} /> },
    { key: 'integration', header: 'Integration', width: '16%', cell: ({ integration: id }) => <IntegrationLink id={id} name={integrations[id]} /> },
    { key: 'state', header: 'State', width: '28%', cell: (delivery) => <Standing delivery={delivery} /> },
    { key: 'attempts', header: 'Attempts', numeric: true, width: 84, cell: ({ attempts }) => attempts.toLocaleString('en') },
  ]
  const actions: Column<Delivery> = { key: 'actions', header: 'Actions', width: 104, numeric: true, cell: (delivery) => <SendAgainButton delivery={delivery} /> }
  const shown = columns.filter(({ key }) => key !== 'integration' || filter.integration === undefined)
  return <ListTable name="Deliveries" list={list} columns={mayOperate ? [...shown, actions] : shown} rowKey={({ id }) => id} empty={<NoDeliveries text={empty} />} />
}

function Title({ delivery: { id, title, key, action }, rule }: { delivery: Delivery; rule: string | undefined }) {
  return (
    <>
      <TextLink to="/deliveries/$id" params={{ id }} fw={600} className="breakable">
        {title || key}
      </TextLink>
      <Text fz="xs" c="dimmed" className="breakable">
        {action}
        {rule !== undefined && ` by ${rule}`}
      </Text>
    </>
  )
}

export function IntegrationLink({ id, name }: { id: string; name: string | undefined }) {
  return (
    <TextLink to="/integrations/$id" params={{ id }} className="breakable">
      {name ?? 'integration'}
    </TextLink>
  )
}

function Standing({ delivery: { state, error, ref, due_at: due } }: { delivery: Delivery }) {
  return (
    <>
      <DeliveryStateLabel state={state} />
      {ref !== undefined && state === 'delivered' && (
        <Text fz="xs" c="dimmed" className="breakable">
          as {ref}
        </Text>
      )}
      {error !== undefined && (
        <Text fz="xs" c="dimmed" className="breakable" lineClamp={2} title={error}>
          {error}
        </Text>
      )}
      {error !== undefined && due !== undefined && (
        <Text fz="xs" c="dimmed">
          <NextTry moment={due} />
        </Text>
      )}
    </>
  )
}

/** Only what was given up can be sent again. */
export function SendAgainButton({ delivery: { id, title, state }, size = 'compact-xs' }: { delivery: Delivery; size?: 'xs' | 'compact-xs' }) {
  const redeliver = useRedeliver(id)
  const notices = useNoticeBoard()
  if (state !== 'dead') return null
  return (
    <Button
      variant="default"
      size={size}
      loading={redeliver.isPending}
      aria-label={`Send again: ${title}`}
      onClick={() => {
        redeliver.mutate(undefined, {
          onSuccess: () => {
            notices.show({ kind: 'done', title: 'Sent again', text: `${title} is tried at once.` })
          },
        })
      }}
    >
      Send again
    </Button>
  )
}

function NoDeliveries({ text }: { text: string | undefined }) {
  return (
    <EmptyNote icon={IconSend} title="No delivery">
      {text ?? 'What a rule tells an integration is recorded here, with what the far side said. Tests are not.'}
    </EmptyNote>
  )
}
