import { Button, Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useExportScan } from '../api/export'
import { isUnfinished, scanQuery, useCancelScan, type Scan } from '../api/scans'
import { useMayOperate } from '../api/session'
import { Callout } from '../components/Callout'
import { Digest } from '../components/Digest'
import { ExportMenu } from '../components/ExportMenu'
import { Fact, Facts } from '../components/Facts'
import { NotAssessedNote } from '../components/NotAssessedNote'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'
import { ScanViews } from '../components/ScanViews'
import { ScanWarnings } from '../components/ScanWarnings'
import { ScanStateLabel } from '../components/State'
import { TextLink } from '../components/TextLink'
import { Elapsed, None, RelativeTime } from '../components/Time'
import { triggerName } from '../format/trigger'

export function ScanPage() {
  const { id } = useParams({ from: '/console/scans/$id' })
  const scan = useQuery(scanQuery(id))
  return (
    <>
      <PageHeader title={scan.data ? `Scan of ${scan.data.node.name}` : 'Scan'}>{scan.data && <Actions scan={scan.data} />}</PageHeader>
      {scan.isPending && <Skeleton height={160} mb="md" />}
      {scan.isError && <ProblemAlert error={scan.error} onRetry={() => void scan.refetch()} />}
      {scan.data && (
        <>
          <ScanFacts scan={scan.data} />
          <ScanWarnings warnings={scan.data.warnings} />
          <ScanResult scan={scan.data} />
        </>
      )}
    </>
  )
}

function Actions({ scan }: { scan: Scan }) {
  const exporting = useExportScan(scan.id)
  return scan.state === 'complete' ? <ExportMenu what="the scan" exporting={exporting} /> : <CancelButton scan={scan} />
}

function CancelButton({ scan }: { scan: Scan }) {
  const cancel = useCancelScan()
  const mayOperate = useMayOperate()
  if (!isUnfinished(scan.state) || !mayOperate) return null
  return (
    <Button
      variant="default"
      loading={cancel.isPending}
      onClick={() => {
        cancel.mutate(scan.id)
      }}
    >
      Cancel the scan
    </Button>
  )
}

function ScanFacts({ scan }: { scan: Scan }) {
  return (
    <Facts>
      <Fact name="State">
        <ScanStateLabel state={scan.state} />
      </Fact>
      <Fact name="Node">
        <TextLink underline="always" to="/nodes/$id" params={{ id: scan.node.id }}>
          {scan.node.name}
        </TextLink>{' '}
        ({scan.node.kind})
      </Fact>
      <Fact name="Trigger">{triggerName(scan.trigger)} {scan.schedule?.name}</Fact>
      <Fact name="Queued">
        <RelativeTime moment={scan.queued_at} />
      </Fact>
      <Fact name="Started">
        <RelativeTime moment={scan.started_at} />
      </Fact>
      <Fact name="Duration">
        <Elapsed from={scan.started_at} to={scan.finished_at} />
      </Fact>
      <Fact name="Components">{scan.components.toLocaleString('en')}</Fact>
      <Fact name="Opened / resolved / unchanged">
        {scan.opened} / {scan.resolved} / {scan.unchanged}
      </Fact>
      <Fact name="Inventory digest">
        <Digest value={scan.inventory_digest} what="inventory digest" />
      </Fact>
      <Fact name="Document digest">
        <Digest value={scan.document_digest} what="document digest" />
      </Fact>
      <Fact name="Feed revision">
        {scan.feed ? <Digest value={scan.feed.revision} what="feed revision" note={scan.feed.sample ? 'the sample' : undefined} /> : <None />}
      </Fact>
      <Fact name="Engine">{scan.engine || <None />}</Fact>
    </Facts>
  )
}

/** What came of the scan; findings exist only once it is complete. */
function ScanResult({ scan }: { scan: Scan }) {
  if (scan.state === 'complete') {
    return (
      <>
        <NotAssessedNote ecosystems={scan.not_assessed} unread={scan.unread} />
        <ScanViews scan={scan} />
      </>
    )
  }
  if (scan.state === 'failed') {
    return (
      <Callout kind="failure" role="alert" title="The scan failed">
        {scan.error || 'The console gives no reason. Its log names this scan.'}
      </Callout>
    )
  }
  return (
    <Callout kind="neutral" role="status">
      {scan.state === 'cancelled' ? 'The scan was cancelled: it has no findings.' : unfinished[scan.state]}
    </Callout>
  )
}

const unfinished = {
  queued: 'Waiting for the agent to ask for work. Findings stand here when the scan is complete.',
  collecting: 'The agent collects what is installed. Findings stand here when the scan is complete.',
  matching: 'The console matches the inventory with the feed. Findings stand here in a moment.',
}
