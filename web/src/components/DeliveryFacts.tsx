import { useIntegrationNames } from '../api/integrations'
import type { DeliveryLog } from '../api/deliveries'
import { useRuleNames } from '../api/rules'
import { attemptsText, deliveryStateNotes } from '../format/delivery'
import { IntegrationLink } from './DeliveriesTable'
import { Fact, Facts } from './Facts'
import { DeliveryStateLabel } from './State'
import { TextLink } from './TextLink'
import { NextTry, RelativeTime } from './Time'

/** Where a notification went, by which rule, and how it stands. */
export function DeliveryFacts({ delivery }: { delivery: DeliveryLog }) {
  const integrations = useIntegrationNames()
  const rules = useRuleNames()
  const rule = rules[delivery.rule]
  const note = deliveryStateNotes[delivery.state]
  return (
    <Facts>
      <Fact name="State">
        <DeliveryStateLabel state={delivery.state} />
        {note !== undefined && <div>{note}</div>}
      </Fact>
      <Fact name="Integration">
        <IntegrationLink id={delivery.integration} name={integrations[delivery.integration]} />
      </Fact>
      <Fact name="Rule">
        {rule === undefined ? (
          delivery.notification.rule || 'one that is no longer there'
        ) : (
          <TextLink to="/rules/$id" params={{ id: delivery.rule }}>
            {rule}
          </TextLink>
        )}
      </Fact>
      <Fact name="Made">
        <RelativeTime moment={delivery.created_at} />
      </Fact>
      <Fact name="Tried">
        {attemptsText(delivery.attempts)}
        {delivery.attempts > 0 && delivery.due_at !== undefined && (
          <>
            {', '}
            <NextTry moment={delivery.due_at} />
          </>
        )}
      </Fact>
      {delivery.ended_at !== undefined && (
        <Fact name="Ended">
          <RelativeTime moment={delivery.ended_at} />
        </Fact>
      )}
      {delivery.ref !== undefined && <Fact name="On the far side">{delivery.ref}</Fact>}
    </Facts>
  )
}
