import { Text } from '@mantine/core'
import type { Integration } from '../api/integrations'
import { IntegrationStateLabel } from './State'
import { RelativeTime } from './Time'

/** How an integration does: since when it fails, why, and when it is tried again. */
export function IntegrationStanding({ integration: { state, failing_since: since, failing_because: because, resumes_at: resumes } }: { integration: Integration }) {
  if (state !== 'failing') return <IntegrationStateLabel state={state} />
  return (
    <>
      <IntegrationStateLabel state={state} />
      {since !== undefined && (
        <Text span inherit c="dimmed">
          {' since '}
          <RelativeTime moment={since} />
        </Text>
      )}
      <Text fz="xs" c="dimmed" className="breakable" lineClamp={2} title={because}>
        {because}
      </Text>
      {resumes !== undefined && (
        <Text fz="xs" c="dimmed">
          tried again <RelativeTime moment={resumes} />
        </Text>
      )}
    </>
  )
}
