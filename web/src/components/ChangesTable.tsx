import { Text } from '@mantine/core'
import { IconEqual } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { changesQuery, type Change, type OccurrenceChange } from '../api/changes'
import type { Scan } from '../api/scans'
import { openedText, reasonText } from '../format/reason'
import { ChangeControl } from './ChangeControl'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { PackageName, SeverityWord, VulnerabilityName } from './Named'
import { ChangeLabel } from './State'
import { RelativeTime } from './Time'

const columns: Column<OccurrenceChange>[] = [
  { key: 'change', header: 'Change', width: 110, cell: ({ change }) => <ChangeLabel change={change} /> },
  { key: 'severity', header: 'Severity', width: 96, cell: ({ severity }) => <SeverityWord severity={severity} /> },
  { key: 'vulnerability', header: 'Vulnerability', width: '22%', cell: ({ vulnerability, kev }) => <VulnerabilityName name={vulnerability} exploited={kev} /> },
  { key: 'package', header: 'Package', width: '24%', cell: (row) => <PackageName name={row.package} ecosystem={row.ecosystem} /> },
  { key: 'because', header: 'Why', cell: (row) => <Why row={row} /> },
  { key: 'since', header: 'Open since', width: 110, cell: ({ opened_at: opened }) => <RelativeTime moment={opened} /> },
]

interface ChangesTableProps {
  scan: Scan
  change: Change | undefined
  onChange: (change: Change | undefined) => void
}

/** What a scan opened and resolved on its node, against what was known of it just before, and why. */
export function ChangesTable({ scan, change, onChange }: ChangesTableProps) {
  const list = useInfiniteQuery(changesQuery(scan.id, change))
  return (
    <>
      <ChangeControl counts={scan} names={names} value={change} onChange={onChange} />
      <ListTable
        name="Changes"
        list={list}
        columns={columns}
        rowKey={(row) => row.occurrence}
        empty={
          <EmptyNote icon={IconEqual} title="Nothing changed">
            The scan found what was known of the node before, and nothing else.
          </EmptyNote>
        }
      />
    </>
  )
}

const names = { opened: 'Opened', resolved: 'Resolved', unchanged: 'Unchanged' }

function Why({ row }: { row: OccurrenceChange }) {
  if (row.change === 'resolved') return reasonText(row.because)
  if (row.change === 'opened') return openedText(row)
  return (
    <Text span inherit c="dimmed">
      opened: {openedText(row)}
    </Text>
  )
}
