import { Anchor, Group, SegmentedControl, Text, TextInput } from '@mantine/core'
import { IconSearch, IconShieldCheck } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { findingsQuery, type Finding } from '../api/findings'
import type { Scan } from '../api/scans'
import { mentions } from '../format/finding'
import { decidingScore, severities, severityNames, totalOf, type Severity } from '../format/severity'
import { EmptyNote } from './EmptyNote'
import { FindingDetail } from './FindingDetail'
import { ListTable, type Column } from './ListTable'
import { SeverityBadge } from './Severity'
import { None } from './Time'

const columns: Column<Finding>[] = [
  { key: 'severity', header: 'Severity', width: 96, cell: ({ severity }) => <SeverityBadge severity={severity} /> },
  { key: 'cvss', header: 'CVSS', numeric: true, width: 52, cell: ({ cvss }) => decidingScore(cvss)?.toFixed(1) ?? <None /> },
  { key: 'vulnerability', header: 'Vulnerability', width: '22%', cell: (finding) => <Vulnerability finding={finding} /> },
  { key: 'component', header: 'Component', width: '20%', cell: (finding) => <Component finding={finding} /> },
  { key: 'version', header: 'Installed', width: '16%', cell: ({ component }) => <Version>{component.version}</Version> },
  { key: 'fixed', header: 'Fixed in', width: '15%', cell: ({ fixed }) => <Fixed versions={fixed} /> },
  { key: 'advisories', header: 'Advisories', cell: ({ advisories }) => <Advisories ids={advisories} /> },
]

interface FindingsTableProps {
  scan: Scan
  severity: Severity | undefined
  onSeverity: (severity: Severity | undefined) => void
}

/** The findings of a complete scan; severity is filtered by the console, text within what is loaded. */
export function FindingsTable({ scan, severity, onSeverity }: FindingsTableProps) {
  const list = useInfiniteQuery(findingsQuery({ scan: scan.id, severity }, scan.state === 'complete'))
  const [text, setText] = useState('')
  return (
    <>
      <Group justify="space-between" mb="xs" gap="xs">
        <SegmentedControl
          size="xs"
          aria-label="Severity"
          value={severity ?? 'all'}
          onChange={(value) => {
            onSeverity(severities.find((each) => each === value))
          }}
          data={[
            { value: 'all', label: `All ${totalOf(scan.counts)}` },
            ...severities.map((each) => ({ value: each, label: `${severityNames[each]} ${scan.counts[each]}`, disabled: scan.counts[each] === 0 })),
          ]}
        />
        <TextInput
          size="xs"
          w={260}
          type="search"
          aria-label="Filter the loaded findings"
          placeholder="Filter the loaded findings"
          leftSection={<IconSearch size={14} aria-hidden />}
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value)
          }}
        />
      </Group>
      <ListTable
        name="Findings"
        list={list}
        columns={columns}
        rowKey={({ id, vulnerability }) => id ?? vulnerability}
        filter={(finding) => mentions(finding, text.trim())}
        detail={(finding) => <FindingDetail finding={finding} />}
        empty={<NoFindings scan={scan} filtered={text.trim() !== '' || severity !== undefined} />}
      />
    </>
  )
}

function Vulnerability({ finding }: { finding: Finding }) {
  return (
    <>
      <Text inherit fw={600} className="breakable">
        {finding.vulnerability}
      </Text>
      <Text fz="xs" c="dimmed" lineClamp={1} title={finding.summary}>
        {finding.summary}
      </Text>
    </>
  )
}

function Component({ finding: { component } }: { finding: Finding }) {
  return (
    <>
      <span className="breakable">{component.name}</span>
      <Text fz="xs" c="dimmed">
        {component.ecosystem}
      </Text>
    </>
  )
}

function Version({ children }: { children: string }) {
  return <span className="mono breakable">{children}</span>
}

function Fixed({ versions }: { versions: string[] }) {
  if (versions.length === 0) {
    return (
      <Text span inherit c="dimmed">
        none known
      </Text>
    )
  }
  return versions.map((version) => (
    <div key={version}>
      <Version>{version}</Version>
    </div>
  ))
}

/** OSV publishes every record that the feed takes from it; the browser goes there only when asked to. */
function Advisories({ ids }: { ids: string[] }) {
  return ids.map((id) => (
    <div key={id} className="breakable">
      <Anchor href={`https://osv.dev/vulnerability/${encodeURIComponent(id)}`} target="_blank" rel="noreferrer">
        {id}
      </Anchor>
    </div>
  ))
}

function NoFindings({ scan, filtered }: { scan: Scan; filtered: boolean }) {
  if (filtered) {
    return (
      <EmptyNote icon={IconSearch} title="No loaded finding matches">
        Clear the text or choose another severity.
      </EmptyNote>
    )
  }
  return (
    <EmptyNote icon={IconShieldCheck} title="No finding">
      The feed knows no vulnerability of {scan.not_assessed.length > 0 ? 'what was assessed' : `the ${scan.components} components`}.
    </EmptyNote>
  )
}
