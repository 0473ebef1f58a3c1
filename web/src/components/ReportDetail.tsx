import type { ReactNode } from 'react'
import type { ReportEntry } from '../api/report'
import { Digest } from './Digest'
import classes from './FindingDetail.module.css'
import { None, RelativeTime } from './Time'

/** What an entry of the report says beyond its row: what was read, with what it was compared, what went wrong. */
export function ReportDetail({ entry }: { entry: ReportEntry }) {
  const { rematch } = entry
  return (
    <dl className={classes.detail}>
      {entry.error !== '' && <Line name="Error">{entry.error}</Line>}
      <Line name="Started">
        <RelativeTime moment={entry.started_at} />
      </Line>
      <Line name="Finished">
        <RelativeTime moment={entry.finished_at} />
      </Line>
      <Line name={rematch ? 'Component versions matched' : 'Components'}>{entry.components.toLocaleString('en')}</Line>
      {rematch ? (
        <>
          <Line name="Advisories">
            {rematch.records_new.toLocaleString('en')} new, {rematch.records_changed.toLocaleString('en')} changed, {rematch.records_gone.toLocaleString('en')} gone
          </Line>
          <Line name="Revision before">{rematch.revision_before === '' ? 'several' : <Digest value={rematch.revision_before} what="revision before" />}</Line>
        </>
      ) : (
        <>
          <Line name="Inventory digest">
            <Digest value={entry.inventory_digest} what="inventory digest" />
          </Line>
          <Line name="Document digest">
            <Digest value={entry.document_digest} what="document digest" />
          </Line>
        </>
      )}
      <Line name="Feed revision">{entry.feed ? <Digest value={entry.feed.revision} what="feed revision" note={entry.feed.sample ? 'the sample' : undefined} /> : <None />}</Line>
      <Line name="Engine">{entry.engine || <None />}</Line>
    </dl>
  )
}

function Line({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </>
  )
}
