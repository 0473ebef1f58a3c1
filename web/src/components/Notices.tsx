import { Box, Notification, Stack } from '@mantine/core'
import { useEffect, useSyncExternalStore } from 'react'
import { useNoticeBoard, type Notice, type NoticeBoard } from '../notices'
import { TextLink } from './TextLink'

const shownFor = 8_000

/** The notices in the corner. A failure stays until it is dismissed; the rest goes by itself. */
export function Notices() {
  const board = useNoticeBoard()
  const notices = useSyncExternalStore(board.subscribe, board.current)
  return (
    <Box pos="fixed" bottom={16} right={16} w={380} maw="calc(100vw - 32px)" style={{ zIndex: 300 }} aria-live="polite">
      <Stack gap="xs">
        {notices.map((notice) => (
          <NoticeCard key={notice.id} notice={notice} board={board} />
        ))}
      </Stack>
    </Box>
  )
}

function NoticeCard({ notice, board }: { notice: Notice; board: NoticeBoard }) {
  const failed = notice.kind === 'failed'
  useEffect(() => {
    if (failed) return
    const timer = setTimeout(() => {
      board.dismiss(notice.id)
    }, shownFor)
    return () => {
      clearTimeout(timer)
    }
  }, [board, notice.id, failed])
  return (
    <Notification
      role={failed ? 'alert' : 'status'}
      color={failed ? 'red' : 'green'}
      withBorder
      title={notice.title}
      onClose={() => {
        board.dismiss(notice.id)
      }}
      closeButtonProps={{ 'aria-label': 'Dismiss' }}
    >
      {notice.text}{' '}
      {notice.scan !== undefined && (
        <TextLink underline="always" to="/scans/$id" params={{ id: notice.scan }}>
          Follow the scan
        </TextLink>
      )}
    </Notification>
  )
}
