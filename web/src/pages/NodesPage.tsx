import { Code, Text } from '@mantine/core'
import { IconServer } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { nodeKinds, nodesQuery, nodeStates, type Node, type NodeFilter } from '../api/nodes'
import { useMayOperate } from '../api/session'
import { Command } from '../components/Command'
import { EmptyNote } from '../components/EmptyNote'
import { FilterSelect } from '../components/FilterSelect'
import { ListTable, type Column } from '../components/ListTable'
import { NodeAndKind } from '../components/NodeLink'
import { PageHeader } from '../components/PageHeader'
import { ScanNowButton } from '../components/ScanNowButton'
import { severityColumns } from '../components/Severity'
import { NodeStateLabel, ScanStateLabel } from '../components/State'
import { TextLink } from '../components/TextLink'
import { RelativeTime } from '../components/Time'
import { distributionName } from '../format/node'

const columns: Column<Node>[] = [
  { key: 'name', header: 'Name and kind', width: '24%', cell: (node) => <NodeAndKind node={node} /> },
  { key: 'distribution', header: 'Distribution', width: '16%', cell: (node) => distributionName(node.distribution) },
  { key: 'state', header: 'Last seen', cell: (node) => <Presence node={node} /> },
  { key: 'scan', header: 'Last scan', cell: (node) => <LastScan node={node} /> },
  ...severityColumns<Node>((node) => (node.last_scan === undefined ? null : node.counts)),
]

const actions: Column<Node> = { key: 'actions', header: 'Actions', width: 96, numeric: true, cell: (node) => <ScanNowButton node={node} /> }

export function NodesPage() {
  const filter = useSearch({ from: '/console/nodes' })
  const navigate = useNavigate({ from: '/nodes' })
  const list = useInfiniteQuery(nodesQuery(filter))
  const mayOperate = useMayOperate()
  const narrow = (change: NodeFilter) => void navigate({ search: { ...filter, ...change } })
  return (
    <>
      <PageHeader title="Nodes">
        <FilterSelect
          label="Kind"
          any="Any kind"
          options={nodeKinds}
          value={filter.kind}
          onChange={(kind) => {
            narrow({ kind })
          }}
        />
        <FilterSelect
          label="State"
          any="Any state"
          options={nodeStates}
          value={filter.state}
          onChange={(state) => {
            narrow({ state })
          }}
        />
      </PageHeader>
      <ListTable name="Nodes" list={list} columns={mayOperate ? [...columns, actions] : columns} rowKey={(node) => node.id} empty={<NoNodes filter={filter} />} />
    </>
  )
}

function Presence({ node }: { node: Node }) {
  return (
    <>
      <NodeStateLabel state={node.state} />
      <Text fz="xs" c="dimmed">
        <RelativeTime moment={node.last_seen} />
      </Text>
    </>
  )
}

function LastScan({ node: { last_scan: scan, not_assessed: notAssessed } }: { node: Node }) {
  if (scan === undefined) {
    return (
      <Text inherit c="dimmed">
        never
      </Text>
    )
  }
  return (
    <>
      <TextLink to="/scans/$id" params={{ id: scan.id }}>
        <ScanStateLabel state={scan.state} />
      </TextLink>
      <Text fz="xs" c="dimmed">
        {scan.finished_at !== undefined && <RelativeTime moment={scan.finished_at} />}
        {notAssessed.length > 0 && <div className="unbroken">{notAssessed.length} not assessed</div>}
      </Text>
    </>
  )
}

function NoNodes({ filter }: { filter: NodeFilter }) {
  if (filter.kind !== undefined || filter.state !== undefined) {
    return (
      <EmptyNote icon={IconServer} title="No node matches">
        Choose another kind or state to see the rest.
      </EmptyNote>
    )
  }
  return (
    <EmptyNote
      icon={IconServer}
      title="No node yet"
      action={<Command>{`patrol agent --console ${location.origin} --enrolment-token T`}</Command>}
    >
      Run the agent on a machine. T is an enrolment token: <Code>POST /api/v1/tokens</Code> makes one.
    </EmptyNote>
  )
}
