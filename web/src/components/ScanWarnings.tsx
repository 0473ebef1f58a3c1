import type { Warning } from '../api/scans'
import { Callout } from './Callout'
import { LongList } from './LongList'

/** What the collection could not read; the rest of the scan went on without it. */
export function ScanWarnings({ warnings }: { warnings: Warning[] }) {
  if (warnings.length === 0) return null
  return (
    <Callout kind="warning" role="note" title={warnings.length === 1 ? '1 warning' : `${warnings.length} warnings`}>
      <LongList
        items={warnings}
        entry={({ path, message }) => (
          <>
            {path !== '' && <span className="mono">{path}: </span>}
            {message}
          </>
        )}
      />
    </Callout>
  )
}
