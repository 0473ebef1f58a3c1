import { Group, NativeSelect, Skeleton, Text } from '@mantine/core'
import { IconEqual, IconRadar } from '@tabler/icons-react'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { comparisonQuery, differencesQuery, type Change, type Comparison, type Difference } from '../api/changes'
import { reportQuery, type ReportEntry } from '../api/report'
import type { Scan } from '../api/scans'
import { exactTime } from '../format/time'
import { triggerName } from '../format/trigger'
import { ChangeControl } from './ChangeControl'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { PackageName, SeverityWord, VulnerabilityName } from './Named'
import { ProblemAlert } from './ProblemAlert'
import { ChangeLabel } from './State'
import { None } from './Time'

const columns: Column<Difference>[] = [
  { key: 'change', header: 'Found by', width: 110, cell: ({ change }) => <ChangeLabel change={change} names={names} /> },
  { key: 'severity', header: 'Severity', width: 96, cell: ({ severity }) => <SeverityWord severity={severity} /> },
  { key: 'vulnerability', header: 'Vulnerability', width: '24%', cell: ({ vulnerability }) => <VulnerabilityName name={vulnerability} /> },
  { key: 'package', header: 'Package', width: '24%', cell: (row) => <PackageName name={row.package} ecosystem={row.ecosystem} /> },
  { key: 'from', header: 'Versions there', cell: ({ from_versions: versions }) => <Versions of={versions} /> },
  { key: 'to', header: 'Versions here', cell: ({ to_versions: versions }) => <Versions of={versions} /> },
]

const names = { opened: 'this alone', resolved: 'other alone', unchanged: 'both' }

interface ScanComparisonProps {
  scan: Scan
  other: string | undefined
  change: Change | undefined
  onSelect: (other: string, change: Change | undefined) => void
}

/** What a scan found beside what another of the same node found: the one before it, unless another is chosen. */
export function ScanComparison({ scan, other, change, onSelect }: ScanComparisonProps) {
  const list = useInfiniteQuery(reportQuery({ node: scan.node.id, kind: 'scan', state: 'complete' }))
  if (list.isError && list.data === undefined) return <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />
  if (list.data === undefined) return <Skeleton height={120} />
  const others = list.data.pages.flatMap((page) => page.items).filter((entry) => entry.id !== scan.id)
  const chosen = other ?? others.find((entry) => entry.at < scan.queued_at)?.id ?? others[0]?.id
  if (chosen === undefined) {
    return (
      <EmptyNote icon={IconRadar} title="There is no other scan to compare with">
        Scan {scan.node.name} again, and the two can be compared here.
      </EmptyNote>
    )
  }
  return (
    <>
      <Group gap="xs" mb="xs">
        <NativeSelect
          aria-label="Compare with"
          leftSection="with"
          leftSectionWidth={40}
          value={chosen}
          data={choices(others, chosen)}
          onChange={(event) => {
            onSelect(event.currentTarget.value, undefined)
          }}
        />
      </Group>
      <Compared
        from={chosen}
        to={scan.id}
        change={change}
        onChange={(each) => {
          onSelect(chosen, each)
        }}
      />
    </>
  )
}

/** A scan that the address names may be of another node, or older than the list. */
function choices(others: ReportEntry[], chosen: string): { value: string; label: string }[] {
  const listed = others.map((entry) => ({ value: entry.id, label: `${exactTime(entry.at)}, ${triggerName(entry.trigger)}` }))
  return listed.some(({ value }) => value === chosen) ? listed : [...listed, { value: chosen, label: `scan ${chosen}` }]
}

interface ComparedProps {
  from: string
  to: string
  change: Change | undefined
  onChange: (change: Change | undefined) => void
}

function Compared({ from, to, change, onChange }: ComparedProps) {
  const comparison = useQuery(comparisonQuery(from, to))
  const list = useInfiniteQuery(differencesQuery(from, to, change))
  if (comparison.isError) return <ProblemAlert error={comparison.error} onRetry={() => void comparison.refetch()} />
  if (comparison.data === undefined) return <Skeleton height={120} />
  return (
    <>
      <Text fz="sm" mb="xs">
        {sidesOf(comparison.data)}
      </Text>
      <ChangeControl counts={comparison.data} names={{ opened: 'This alone', resolved: 'Other alone', unchanged: 'Both' }} value={change} onChange={onChange} />
      <ListTable
        name="Differences"
        list={list}
        columns={columns}
        rowKey={(row) => `${row.vulnerability} ${row.ecosystem} ${row.package}`}
        empty={
          <EmptyNote icon={IconEqual} title="Neither scan found anything">
            There is nothing to compare.
          </EmptyNote>
        }
      />
    </>
  )
}

function sidesOf({ components, from, to }: Comparison): string {
  const number = (count: number) => count.toLocaleString('en')
  const nodes = from.node?.id === to.node?.id ? '' : ` The other scan is of ${from.node?.name ?? 'another node'}.`
  const feed = from.feed?.revision === to.feed?.revision ? 'Both were matched with the same feed revision.' : 'They were matched with different feed revisions.'
  return `Components: ${number(components.added)} added, ${number(components.removed)} removed, ${number(components.unchanged)} the same. ${feed}${nodes}`
}

function Versions({ of: versions }: { of: string[] }) {
  if (versions.length === 0) return <None />
  return versions.map((version) => (
    <div key={version} className="mono breakable">
      {version}
    </div>
  ))
}
