import { Box } from '@mantine/core'
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router'
import { ProblemAlert } from '../components/ProblemAlert'

/** What stands in place of a page that could not be shown at all. */
export function FailedPage({ error }: ErrorComponentProps) {
  const router = useRouter()
  return (
    <Box p="md" maw={640} mx="auto">
      <title>Failed · Patrol</title>
      <ProblemAlert error={error} onRetry={() => void router.invalidate()} />
    </Box>
  )
}
