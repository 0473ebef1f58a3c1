import type { NotAssessed, Unread } from '../api/scans'
import { Callout } from './Callout'
import { LongList } from './LongList'

interface NotAssessedNoteProps {
  ecosystems: NotAssessed[]
  /** Components of assessed ecosystems that could not be compared with their advisories all the same. */
  unread?: Unread[]
}

/** What the findings do not speak of. It stands beside them: silence there is no sign of safety. */
export function NotAssessedNote({ ecosystems, unread = [] }: NotAssessedNoteProps) {
  if (ecosystems.length === 0 && unread.length === 0) return null
  return (
    <Callout kind="unseen" role="note" title="Not assessed">
      {ecosystems.length > 0 && (
        <>
          Packages of {ecosystems.length === 1 ? 'this ecosystem' : 'these ecosystems'} are installed but were not assessed. The findings say
          nothing about them, neither good nor bad.
          <LongList
            items={ecosystems}
            entry={({ ecosystem, reason }) => (
              <>
                <b>{ecosystem}</b>: {reason}
              </>
            )}
          />
        </>
      )}
      {unread.length > 0 && (
        <>
          {unread.length === 1 ? 'This component' : 'These components'} could not be compared with the advisories.
          <LongList
            items={unread}
            entry={({ ecosystem, name, version, reason }) => (
              <>
                <b>{name}</b> {version} ({ecosystem}): {reason}
              </>
            )}
          />
        </>
      )}
    </Callout>
  )
}
