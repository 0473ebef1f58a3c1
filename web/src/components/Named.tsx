import { Text } from '@mantine/core'
import { isSeverity } from '../format/severity'
import { SeverityBadge } from './Severity'

export function SeverityWord({ severity }: { severity: string }) {
  return <SeverityBadge severity={isSeverity(severity) ? severity : 'unknown'} />
}

/** A vulnerability, and whether CISA lists it as exploited. */
export function VulnerabilityName({ name, exploited = false }: { name: string; exploited?: boolean }) {
  return (
    <>
      <Text inherit fw={600} className="breakable">
        {name}
      </Text>
      {exploited && (
        <Text fz="xs" c="dimmed">
          known to be exploited
        </Text>
      )}
    </>
  )
}

export function PackageName({ name, ecosystem }: { name: string; ecosystem: string }) {
  return (
    <>
      <span className="breakable">{name}</span>
      <Text fz="xs" c="dimmed">
        {ecosystem}
      </Text>
    </>
  )
}
