import { Text } from '@mantine/core'
import { IconRadar } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { scansQuery, type Scan, type ScanFilter } from '../api/scans'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { NodeLink } from './NodeLink'
import { severityColumns } from './Severity'
import { ScanStateLabel } from './State'
import { TextLink } from './TextLink'
import { Elapsed, None, RelativeTime } from './Time'

const stateColumn: Column<Scan> = {
  key: 'state',
  header: 'State',
  width: 110,
  cell: (scan) => (
    <TextLink to="/scans/$id" params={{ id: scan.id }} aria-label={`Scan of ${scan.node.name}, ${scan.state}`}>
      <ScanStateLabel state={scan.state} />
    </TextLink>
  ),
}

const nodeColumn: Column<Scan> = {
  key: 'node',
  header: 'Node',
  width: '22%',
  cell: (scan) => <NodeLink node={scan.node} />,
}

const otherColumns: Column<Scan>[] = [
  { key: 'trigger', header: 'Trigger', cell: (scan) => <Trigger scan={scan} /> },
  { key: 'started', header: 'Started', cell: (scan) => <RelativeTime moment={scan.started_at} /> },
  { key: 'duration', header: 'Duration', numeric: true, cell: (scan) => <Elapsed from={scan.started_at} to={scan.finished_at} /> },
  ...severityColumns<Scan>((scan) => (scan.state === 'complete' ? scan.counts : null)),
  { key: 'opened', header: 'Opened', numeric: true, width: 62, cell: (scan) => <Change scan={scan} count={scan.opened} /> },
  { key: 'resolved', header: 'Resolved', numeric: true, width: 70, cell: (scan) => <Change scan={scan} count={scan.resolved} /> },
]

/** Scans, newest first; of one node, its name need not stand on every row. */
export function ScansTable({ filter }: { filter: ScanFilter }) {
  const list = useInfiniteQuery(scansQuery(filter))
  const columns = filter.node === undefined ? [stateColumn, nodeColumn, ...otherColumns] : [stateColumn, ...otherColumns]
  return <ListTable name="Scans" list={list} columns={columns} rowKey={(scan) => scan.id} empty={<NoScans filter={filter} />} />
}

function Trigger({ scan }: { scan: Scan }) {
  if (scan.trigger === 'on_demand') return <span className="unbroken">on demand</span>
  return (
    <>
      schedule
      <Text fz="xs" c="dimmed">
        {scan.schedule?.name}
      </Text>
    </>
  )
}

function Change({ scan, count }: { scan: Scan; count: number }) {
  if (scan.state !== 'complete') return <None />
  return (
    <Text span inherit c={count === 0 ? 'dimmed' : undefined}>
      {count}
    </Text>
  )
}

function NoScans({ filter }: { filter: ScanFilter }) {
  if (filter.state !== undefined) {
    return (
      <EmptyNote icon={IconRadar} title={`No scan is ${filter.state}`}>
        Choose another state to see the rest.
      </EmptyNote>
    )
  }
  return (
    <EmptyNote icon={IconRadar} title="Nothing has been scanned yet">
      {filter.node === undefined ? (
        <>
          Press <b>Scan now</b> beside a <TextLink underline="always" to="/nodes">node</TextLink>, or let a <TextLink underline="always" to="/schedules">schedule</TextLink> start scans.
        </>
      ) : (
        <>
          Press <b>Scan now</b> above, or let a <TextLink underline="always" to="/schedules">schedule</TextLink> select this node.
        </>
      )}
    </EmptyNote>
  )
}
