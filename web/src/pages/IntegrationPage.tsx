import { Box, Skeleton, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { integrationQuery, useTestIntegration, type Integration } from '../api/integrations'
import { Callout } from '../components/Callout'
import { DeliveriesTable } from '../components/DeliveriesTable'
import { IntegrationActions } from '../components/IntegrationActions'
import { IntegrationFacts } from '../components/IntegrationFacts'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'
import { RelativeTime } from '../components/Time'
import { TrialResult } from '../components/TrialResult'

export function IntegrationPage() {
  const { id } = useParams({ from: '/console/integrations/$id' })
  const integration = useQuery(integrationQuery(id))
  const test = useTestIntegration(id)
  return (
    <>
      <PageHeader title={integration.data?.name ?? 'Integration'}>{integration.data && <IntegrationActions integration={integration.data} testing={test} />}</PageHeader>
      {integration.isPending && <Skeleton height={120} mb="md" />}
      {integration.isError && <ProblemAlert error={integration.error} onRetry={() => void integration.refetch()} />}
      {test.isError && <ProblemAlert error={test.error} />}
      {test.data !== undefined && (
        <Box mb="md">
          <TrialResult trial={test.data} />
        </Box>
      )}
      {integration.data && (
        <>
          <StateNote integration={integration.data} />
          <IntegrationFacts integration={integration.data} />
          <Title order={2} mb="xs">
            Last deliveries
          </Title>
          <DeliveriesTable filter={{ integration: id }} />
        </>
      )}
    </>
  )
}

/** What keeps notifications from arriving. */
function StateNote({ integration: { state, failing_since: since, failing_because: because, resumes_at: resumes } }: { integration: Integration }) {
  if (state === 'disabled') {
    return (
      <Callout kind="neutral" role="note" title="Disabled">
        What happens meanwhile is not told to it, and not made up for later. What waits from before is sent once it is enabled.
      </Callout>
    )
  }
  if (state !== 'failing') return null
  return (
    <Callout kind="failure" role="status" title="It cannot deliver">
      {because}
      <div>
        Since <RelativeTime moment={since} />
        {resumes !== undefined && (
          <>
            ; tried again <RelativeTime moment={resumes} />
          </>
        )}
        .
      </div>
    </Callout>
  )
}
