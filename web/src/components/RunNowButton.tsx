import { Button } from '@mantine/core'
import { useRunSchedule, type Schedule } from '../api/schedules'
import { runLine } from '../format/run'
import { useNoticeBoard } from '../notices'

export function RunNowButton({ schedule, size = 'compact-xs' }: { schedule: Schedule; size?: 'xs' | 'compact-xs' }) {
  const run = useRunSchedule(schedule.id)
  const notices = useNoticeBoard()
  return (
    <Button
      variant="default"
      size={size}
      loading={run.isPending}
      aria-label={`Run now: ${schedule.name}`}
      onClick={() => {
        run.mutate(undefined, {
          onSuccess: (fired) => {
            notices.show({ kind: fired.error === '' ? 'done' : 'failed', title: `Run of ${schedule.name}`, text: fired.warning || runLine(fired) })
          },
        })
      }}
    >
      Run now
    </Button>
  )
}
