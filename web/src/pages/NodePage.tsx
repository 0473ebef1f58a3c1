import { Badge, Group, Skeleton, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { nodeQuery, type Node } from '../api/nodes'
import { Fact, Facts } from '../components/Facts'
import { NotAssessedNote } from '../components/NotAssessedNote'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'
import { ReportTable } from '../components/ReportTable'
import { ScanNowButton } from '../components/ScanNowButton'
import { NodeStateLabel } from '../components/State'
import { TextLink } from '../components/TextLink'
import { None, RelativeTime } from '../components/Time'
import { distributionName } from '../format/node'

export function NodePage() {
  const { id } = useParams({ from: '/console/nodes/$id' })
  const node = useQuery(nodeQuery(id))
  return (
    <>
      <PageHeader title={node.data?.name ?? 'Node'}>{node.data && <ScanNowButton node={node.data} />}</PageHeader>
      {node.isPending && <Skeleton height={120} mb="md" />}
      {node.isError && <ProblemAlert error={node.error} onRetry={() => void node.refetch()} />}
      {node.data && (
        <>
          <NodeFacts node={node.data} />
          <NotAssessedNote ecosystems={node.data.not_assessed} />
          <Title order={2} mb="xs">
            Scans
          </Title>
          <ReportTable filter={{ node: id }} />
        </>
      )}
    </>
  )
}

function NodeFacts({ node }: { node: Node }) {
  return (
    <Facts>
      <Fact name="State">
        <NodeStateLabel state={node.state} />
      </Fact>
      <Fact name="Last seen">
        <RelativeTime moment={node.last_seen} />
      </Fact>
      <Fact name="First seen">
        <RelativeTime moment={node.first_seen} />
      </Fact>
      <Fact name="Kind">{node.kind}</Fact>
      <Fact name="Distribution">{distributionName(node.distribution)}</Fact>
      <Fact name="Kernel">{node.kernel || <None />}</Fact>
      <Fact name="Architecture">{node.architecture || <None />}</Fact>
      <Fact name="Agent">{node.agent_version || <None />}</Fact>
      <Fact name="Past its due date">
        <TextLink to="/overdue" search={{ node: node.id }}>
          What is overdue here
        </TextLink>
      </Fact>
      <Fact name="Labels">
        <Labels labels={node.labels} />
      </Fact>
    </Facts>
  )
}

function Labels({ labels }: { labels: Node['labels'] }) {
  const pairs = Object.entries(labels)
  if (pairs.length === 0) return <None />
  return (
    <Group gap={4}>
      {pairs.map(([key, value]) => (
        <Badge key={key} variant="default" radius="sm" size="sm" tt="none" fw={400} maw="100%" title={`${key}=${value}`}>
          {key}={value}
        </Badge>
      ))}
    </Group>
  )
}
