import { Box, Stack, Text, Title } from '@mantine/core'
import type { UseQueryResult } from '@tanstack/react-query'
import { problemOf } from '../api/problem'
import type { RulePreview as Preview } from '../api/rules'
import { previewText } from '../format/rule'
import { Callout } from './Callout'
import { NotificationCard } from './NotificationCard'

/** What the rule would have told of what happened last. Beside a long form it stays in sight. */
export function RulePreview({ preview, isAbout }: { preview: UseQueryResult<Preview>; isAbout: boolean }) {
  return (
    <Box component="section" aria-label="What it would tell" aria-busy={preview.isFetching} pos={{ base: 'static', sm: 'sticky' }} top={72}>
      <Title order={2} mb="xs">
        What it would tell
      </Title>
      <Text component="div" fz="sm" aria-live="polite">
        {isAbout ? <Content preview={preview} /> : <Hint>Choose what happens, and what would be told of it stands here.</Hint>}
      </Text>
    </Box>
  )
}

function Content({ preview }: { preview: UseQueryResult<Preview> }) {
  if (preview.isError) {
    const { status, fields, message } = problemOf(preview.error)
    return <Hint>{status === 422 && fields.length > 0 ? 'It stands here once the marked fields are mended.' : message}</Hint>
  }
  if (preview.data === undefined) return <Hint>Asking the console.</Hint>
  const { notifications, error } = preview.data
  return (
    <>
      <Text fz="sm" fw={600} mb="xs">
        {previewText(preview.data)}
      </Text>
      {error !== undefined && (
        <Callout kind="warning" role="note" title="It fails on some of them">
          <span className="mono preformatted">{error}</span>
        </Callout>
      )}
      <Stack gap="xs">
        {notifications.map((notification, index) => (
          <NotificationCard key={index} notification={notification} />
        ))}
      </Stack>
    </>
  )
}

function Hint({ children }: { children: string }) {
  return (
    <Text inherit c="dimmed">
      {children}
    </Text>
  )
}
