import { Skeleton, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { ruleQuery, type Rule } from '../api/rules'
import { Callout } from '../components/Callout'
import { DeliveriesTable } from '../components/DeliveriesTable'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'
import { RuleActions } from '../components/RuleActions'
import { RuleFacts } from '../components/RuleFacts'
import { RelativeTime } from '../components/Time'

export function RulePage() {
  const { id } = useParams({ from: '/console/rules/$id' })
  const rule = useQuery(ruleQuery(id))
  return (
    <>
      <PageHeader title={rule.data?.name ?? 'Rule'}>{rule.data && <RuleActions rule={rule.data} />}</PageHeader>
      {rule.isPending && <Skeleton height={120} mb="md" />}
      {rule.isError && <ProblemAlert error={rule.error} onRetry={() => void rule.refetch()} />}
      {rule.data && (
        <>
          <RuleNotes rule={rule.data} />
          <RuleFacts rule={rule.data} />
          <Title order={2} mb="xs">
            Last deliveries
          </Title>
          <DeliveriesTable filter={{ rule: id }} empty="What it tells is recorded here, with what the far side said." />
        </>
      )}
    </>
  )
}

/** What keeps it from telling. */
function RuleNotes({ rule: { enabled, error, error_at: moment, integrations } }: { rule: Rule }) {
  return (
    <>
      {!enabled && (
        <Callout kind="neutral" role="note" title="Disabled">
          It tells nothing. What happens meanwhile is not told later.
        </Callout>
      )}
      {enabled && integrations.length === 0 && (
        <Callout kind="warning" role="note" title="It tells nobody">
          It names no integration.
        </Callout>
      )}
      {error !== undefined && (
        <Callout kind="failure" role="status" title="Its condition or a template failed">
          <span className="mono preformatted">{error}</span> <RelativeTime moment={moment} />
        </Callout>
      )}
    </>
  )
}
