import { Code } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { feedQuery, type Feed } from '../api/feed'
import { age, day } from '../format/time'
import { Callout } from './Callout'
import { ProblemAlert } from './ProblemAlert'
import { RelativeTime } from './Time'
import { useNow } from './useNow'

/** Says what limits the findings on every page: a sample feed, one that is stale, or one that could not be updated. */
export function FeedBanner() {
  const feed = useQuery(feedQuery)
  if (feed.isError && feed.data === undefined) return <ProblemAlert error={feed.error} onRetry={() => void feed.refetch()} />
  if (feed.data === undefined) return null
  return (
    <>
      {feed.data.stale && <StaleBanner feed={feed.data} />}
      {feed.data.sample && <SampleBanner feed={feed.data} />}
      {!feed.data.stale && feed.data.last_attempt?.error !== undefined && <FailedUpdateBanner attempt={feed.data.last_attempt} />}
    </>
  )
}

function SampleBanner({ feed }: { feed: Feed }) {
  const now = useNow(60_000)
  return (
    <Callout kind="sample" role="status">
      <b>The feed is the built-in sample</b>
      {feed.as_of !== undefined && `, as of ${day(feed.as_of)} (${age(feed.as_of, now)} old)`}: it knows little of what is known. Install the real one with <Code>patrol feed update</Code>.
    </Callout>
  )
}

function StaleBanner({ feed }: { feed: Feed }) {
  return (
    <Callout kind="warning" role="status">
      <b>The feed is stale</b>
      {feed.stale_since !== undefined && (
        <>
          {' '}
          since <RelativeTime moment={feed.stale_since} />
        </>
      )}
      : what was disclosed since it was last brought up to date is not found. {feed.stale_because}.
    </Callout>
  )
}

function FailedUpdateBanner({ attempt }: { attempt: NonNullable<Feed['last_attempt']> }) {
  return (
    <Callout kind="failure" role="status">
      <b>The last feed update failed</b> <RelativeTime moment={attempt.at} />: {attempt.error}
    </Callout>
  )
}
