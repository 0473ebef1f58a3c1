import { Text } from '@mantine/core'
import { useIntegrationNames } from '../api/integrations'
import type { Rule } from '../api/rules'
import { IntegrationLink } from './DeliveriesTable'

/** The integrations that a rule tells. */
export function RuleTargets({ rule: { integrations } }: { rule: Rule }) {
  const names = useIntegrationNames()
  if (integrations.length === 0) {
    return (
      <Text span inherit c="dimmed">
        nobody
      </Text>
    )
  }
  return integrations.map((id, index) => (
    <span key={id}>
      {index > 0 && ', '}
      <IntegrationLink id={id} name={names[id]} />
    </span>
  ))
}
