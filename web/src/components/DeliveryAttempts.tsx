import { Stack, Text, Title } from '@mantine/core'
import type { DeliveryAttempt, DeliveryLog } from '../api/deliveries'
import { tookText } from '../format/delivery'
import { Exchange } from './Said'
import { RelativeTime } from './Time'

/** Every attempt that is still kept, the last first, with what both sides said. */
export function DeliveryAttempts({ delivery: { log } }: { delivery: DeliveryLog }) {
  if (log.length === 0) {
    return (
      <Text fz="sm" c="dimmed">
        It was not tried yet, or the record of it is no longer kept.
      </Text>
    )
  }
  return (
    <Stack gap="lg">
      {log.toReversed().map((attempt) => (
        <Attempt key={`${attempt.number} ${attempt.at}`} attempt={attempt} />
      ))}
    </Stack>
  )
}

function Attempt({ attempt: { number, at, took_ms: took, error, request, response } }: { attempt: DeliveryAttempt }) {
  return (
    <section aria-label={`Attempt ${number}`}>
      <Title order={3} fz="sm">
        Attempt {number}
        <Text span inherit fw={400} c="dimmed">
          {', '}
          <RelativeTime moment={at} />, took {tookText(took)}
        </Text>
      </Title>
      {error !== undefined && (
        <Text fz="sm" c="var(--state-bad)" className="breakable">
          {error}
        </Text>
      )}
      <Exchange request={request} response={response} />
    </section>
  )
}
