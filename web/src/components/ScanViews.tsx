import { Tabs, Text } from '@mantine/core'
import { useNavigate, useSearch } from '@tanstack/react-router'
import type { Scan } from '../api/scans'
import { oneOf, scanViews } from '../search'
import { ChangesTable } from './ChangesTable'
import { FindingsTable } from './FindingsTable'
import { ScanComparison } from './ScanComparison'

/** A complete scan seen three ways: what it found, what that changed, and how another scan differs. */
export function ScanViews({ scan }: { scan: Scan }) {
  const { view = 'findings', severity, change, with: other } = useSearch({ from: '/console/scans/$id' })
  const navigate = useNavigate({ from: '/scans/$id' })
  return (
    <Tabs value={view} keepMounted={false} onChange={(chosen) => void navigate({ search: { view: oneOf(scanViews, chosen) }, replace: true })}>
      <Tabs.List mb="sm">
        <Tabs.Tab value="findings">Findings</Tabs.Tab>
        <Tabs.Tab value="changes">
          What changed ({scan.opened} opened, {scan.resolved} resolved)
        </Tabs.Tab>
        <Tabs.Tab value="compare">Compare</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="findings">
        <Text fz="xs" c="dimmed" mb="xs">
          The counts take each vulnerability once in each package; the table shows every component of the package.
        </Text>
        <FindingsTable scan={scan} severity={severity} onSeverity={(each) => void navigate({ search: { severity: each }, replace: true })} />
      </Tabs.Panel>
      <Tabs.Panel value="changes">
        <Text fz="xs" c="dimmed" mb="xs">
          Against what was known of the node just before, re-matches included.
        </Text>
        <ChangesTable scan={scan} change={change} onChange={(each) => void navigate({ search: { view, change: each }, replace: true })} />
      </Tabs.Panel>
      <Tabs.Panel value="compare">
        <ScanComparison
          scan={scan}
          other={other}
          change={change}
          onSelect={(id, each) => void navigate({ search: { view, with: id, change: each }, replace: true })}
        />
      </Tabs.Panel>
    </Tabs>
  )
}
