import { Box, Text } from '@mantine/core'
import { IconRadar } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { reportQuery, type ReportEntry, type ReportFilter } from '../api/report'
import { useMayOperate } from '../api/session'
import { triggerName } from '../format/trigger'
import { isNarrowed } from '../search'
import { Digest } from './Digest'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { NodeAndKind } from './NodeLink'
import { ReportDetail } from './ReportDetail'
import { severityColumns } from './Severity'
import { ScanStateLabel } from './State'
import { TextLink } from './TextLink'
import { Duration, None, RelativeTime } from './Time'

const stateColumn: Column<ReportEntry> = { key: 'state', header: 'State and time', width: 124, cell: (entry) => <StateAndTime entry={entry} /> }

const nodeColumn: Column<ReportEntry> = { key: 'node', header: 'Node', width: '20%', cell: (entry) => <Subject entry={entry} /> }

const otherColumns: Column<ReportEntry>[] = [
  { key: 'trigger', header: 'Trigger', cell: (entry) => <Trigger entry={entry} /> },
  { key: 'duration', header: 'Duration', numeric: true, width: 72, cell: (entry) => <Duration seconds={entry.duration_seconds} of={entry} /> },
  ...severityColumns<ReportEntry>(({ state, counts }) => (state === 'complete' ? (counts ?? null) : null)),
  { key: 'opened', header: 'Opened', numeric: true, width: 60, cell: (entry) => <Change entry={entry} count={entry.opened} /> },
  { key: 'resolved', header: 'Resolved', numeric: true, width: 66, cell: (entry) => <Change entry={entry} count={entry.resolved} /> },
  { key: 'unchanged', header: 'Unchanged', numeric: true, width: 80, cell: (entry) => <Change entry={entry} count={entry.unchanged} quiet /> },
  { key: 'feed', header: 'Feed', width: 110, cell: ({ feed }) => (feed ? <Digest value={feed.revision} what="feed revision" length={8} note={feed.sample ? 'sample' : undefined} /> : <None />) },
]

/** Scans and re-matches, newest first; of one node, its name need not stand on every row. */
export function ReportTable({ filter }: { filter: ReportFilter }) {
  const list = useInfiniteQuery(reportQuery(filter))
  const columns = filter.node === undefined ? [stateColumn, nodeColumn, ...otherColumns] : [stateColumn, ...otherColumns]
  return (
    <ListTable
      name="Scans"
      list={list}
      columns={columns}
      rowKey={(entry) => entry.id}
      detail={(entry) => <ReportDetail entry={entry} />}
      empty={<NoEntries filter={filter} />}
    />
  )
}

function StateAndTime({ entry }: { entry: ReportEntry }) {
  return (
    <>
      {entry.kind === 'rematch' ? (
        <ScanStateLabel state={entry.state} />
      ) : (
        <TextLink to="/scans/$id" params={{ id: entry.id }} aria-label={`Scan of ${entry.node?.name ?? 'a node'}, ${entry.state}`}>
          <ScanStateLabel state={entry.state} />
        </TextLink>
      )}
      <Text fz="xs" c="dimmed">
        <RelativeTime moment={entry.at} />
      </Text>
    </>
  )
}

/** A scan is of a node; a re-match of whatever the records that changed may stand on. */
function Subject({ entry }: { entry: ReportEntry }) {
  if (entry.node !== undefined) {
    return (
      <Box miw={140}>
        <NodeAndKind node={entry.node} />
      </Box>
    )
  }
  const nodes = entry.rematch?.nodes ?? 0
  return (
    <Box miw={140}>
      <Text inherit fw={600}>
        Re-match
      </Text>
      <Text fz="xs" c="dimmed">
        {nodes.toLocaleString('en')} {nodes === 1 ? 'node' : 'nodes'}
      </Text>
    </Box>
  )
}

function Trigger({ entry: { trigger, schedule } }: { entry: ReportEntry }) {
  return (
    <>
      <span className="unbroken">{triggerName(trigger)}</span>
      {schedule !== undefined && (
        <Text fz="xs" className="breakable" miw={110}>
          <TextLink to="/schedules/$id" params={{ id: schedule.id }}>
            {schedule.name}
          </TextLink>
        </Text>
      )}
    </>
  )
}

/** A scan that is not complete changed nothing; a re-match that failed did on the nodes that could be matched. */
function Change({ entry, count, quiet = false }: { entry: ReportEntry; count: number; quiet?: boolean }) {
  if (entry.kind === 'scan' && entry.state !== 'complete') return <None />
  return (
    <Text span inherit c={count === 0 || quiet ? 'dimmed' : undefined} fw={count === 0 || quiet ? undefined : 600}>
      {count.toLocaleString('en')}
    </Text>
  )
}

function NoEntries({ filter: { node, ...rest } }: { filter: ReportFilter }) {
  const mayOperate = useMayOperate()
  if (isNarrowed(rest)) {
    return (
      <EmptyNote icon={IconRadar} title="No scan and no re-match matches">
        Clear a filter to see the rest.
      </EmptyNote>
    )
  }
  return (
    <EmptyNote icon={IconRadar} title="Nothing has been scanned yet">
      {mayOperate ? <HowToScan node={node} /> : 'Each scan and each re-match will stand here.'}
    </EmptyNote>
  )
}

function HowToScan({ node }: { node: string | undefined }) {
  const schedule = (
    <TextLink underline="always" to="/schedules">
      schedule
    </TextLink>
  )
  if (node !== undefined) {
    return (
      <>
        Press <b>Scan now</b> above, or let a {schedule} select this node.
      </>
    )
  }
  return (
    <>
      Press <b>Scan now</b> beside a <TextLink underline="always" to="/nodes">node</TextLink>, or let a {schedule} start scans.
    </>
  )
}
