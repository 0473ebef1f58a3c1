import { Text, Tooltip } from '@mantine/core'
import { duration, exactTime, localTime, relativeTime } from '../format/time'
import { useNow } from './useNow'

/** A moment as people say it; hovering gives it to the second, in UTC and in the browser's zone. */
export function RelativeTime({ moment }: { moment: string | undefined }) {
  const now = useNow(10_000)
  if (moment === undefined) return <None />
  const exact = exactTime(moment)
  return (
    <Tooltip label={<ExactLines moment={moment} />}>
      <time dateTime={moment} className="unbroken" aria-label={`${relativeTime(moment, now)}, ${exact}`}>
        {relativeTime(moment, now)}
      </time>
    </Tooltip>
  )
}

function ExactLines({ moment }: { moment: string }) {
  const local = localTime(moment)
  return (
    <>
      <div>{exactTime(moment)}</div>
      {!local.endsWith(' UTC') && <div>{local}</div>}
    </>
  )
}

/** When something is tried again; what was due before waits for something else. */
export function NextTry({ moment }: { moment: string }) {
  const now = useNow(10_000)
  return Date.parse(moment) > now ? (
    <>
      tried again <RelativeTime moment={moment} />
    </>
  ) : (
    <>tried again as soon as the integration is</>
  )
}

/** How long something took, or has taken so far. */
export function Elapsed({ from, to }: { from: string | undefined; to: string | undefined }) {
  const now = useNow(from !== undefined && to === undefined ? 1_000 : null)
  if (from === undefined) return <None />
  return <span className="unbroken">{duration((to === undefined ? now : Date.parse(to)) - Date.parse(from))}</span>
}

/** How long the console says that something took, to its own clock; what goes on is counted here. */
export function Duration({ seconds, of: { started_at: from, finished_at: to } }: { seconds: number; of: { started_at?: string; finished_at?: string } }) {
  if (to === undefined) return <Elapsed from={from} to={to} />
  return <span className="unbroken">{duration(seconds * 1000)}</span>
}

/** What stands where there is no value. */
export function None() {
  return (
    <Text span inherit c="dimmed" aria-label="none">
      –
    </Text>
  )
}
