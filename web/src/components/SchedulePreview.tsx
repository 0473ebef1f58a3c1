import { Box, Code, List, Text, Title } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { problemOf } from '../api/problem'
import type { Preview } from '../api/schedules'
import { zonedTime } from '../format/time'
import { Callout } from './Callout'
import { LongList } from './LongList'

/** What the definition would do as it stands: when, and to which nodes. Beside a long form it stays in sight. */
export function SchedulePreview({ preview, zone }: { preview: UseQueryResult<Preview>; zone: string }) {
  return (
    <Box component="section" aria-label="What it would do" aria-busy={preview.isFetching} pos={{ base: 'static', sm: 'sticky' }} top={72}>
      <Title order={2} mb="xs">
        What it would do
      </Title>
      <Text component="div" fz="sm" aria-live="polite">
        <Content preview={preview} zone={zone} />
      </Text>
    </Box>
  )
}

function Content({ preview, zone }: { preview: UseQueryResult<Preview>; zone: string }) {
  if (preview.isError) {
    const { status, fields, message } = problemOf(preview.error)
    return <Text inherit c="dimmed">{status === 422 && fields.length > 0 ? 'The next times and the nodes stand here once the marked fields are mended.' : message}</Text>
  }
  if (preview.data === undefined) return <Text inherit c="dimmed">Asking the console.</Text>
  const { fire_times: times, nodes, warning } = preview.data
  return (
    <>
      {warning !== '' && (
        <Callout kind="warning" role="note">
          {warning}
        </Callout>
      )}
      <b>{nodes.count === 1 ? '1 node matches now' : `${nodes.count.toLocaleString('en')} nodes match now`}</b>
      <LongList
        items={nodes.items}
        entry={({ name, kind }) => (
          <span className="breakable">
            {name} <Text span inherit c="dimmed">{kind}</Text>
          </span>
        )}
      />
      {nodes.count > nodes.items.length && <Text fz="xs" c="dimmed">These are the first {nodes.items.length}.</Text>}
      <Text inherit fw={700} mt="sm">
        {times.length === 0 ? 'It would never fire' : 'Next times'}
      </Text>
      <List fz="inherit" type="ordered">
        {times.map((time) => (
          <List.Item key={time}>{zonedTime(time, zone)}</List.Item>
        ))}
      </List>
      <Text fz="xs" c="dimmed" mt={4}>
        In <Code>{zone}</Code>
      </Text>
    </>
  )
}
