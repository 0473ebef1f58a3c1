import { Button, List, Text } from '@mantine/core'
import { useInfiniteQuery } from '@tanstack/react-query'
import { skippedQuery, type Run, type SkippedNode } from '../api/schedules'
import { exactTime } from '../format/time'
import { ProblemAlert } from './ProblemAlert'
import { TextLink } from './TextLink'

const reasons: Record<SkippedNode['reason'], string> = {
  busy: 'was being scanned already',
  gone: 'was no longer there',
  cancelled: 'the run was cancelled before its turn',
  timeout: 'the run ended before its turn',
}

/** A run's moments, and the nodes that it skipped, with why. */
export function SkippedNodes({ schedule, run }: { schedule: string; run: Run }) {
  const list = useInfiniteQuery(skippedQuery(schedule, run.id))
  const skipped = list.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <>
      <Text fz="sm" c="dimmed">
        Scheduled for {exactTime(run.scheduled_for)}, fired {exactTime(run.fired_at)}
        {run.feed_checked_at !== undefined && `, feed looked at ${exactTime(run.feed_checked_at)}`}.
      </Text>
      {list.isError && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isSuccess && <Text fz="sm">{skipped.length === 0 ? 'No node was skipped.' : 'Skipped:'}</Text>}
      <List fz="sm">
        {skipped.map(({ node, name, reason }) => (
          <List.Item key={node} className="breakable">
            <TextLink to="/nodes/$id" params={{ id: node }}>
              {name}
            </TextLink>
            : {reasons[reason]}
          </List.Item>
        ))}
      </List>
      {list.hasNextPage && (
        <Button variant="default" size="compact-xs" mt="xs" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
          Load more
        </Button>
      )}
    </>
  )
}
