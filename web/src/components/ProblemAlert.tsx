import { Button, List } from '@mantine/core'
import { problemOf } from '../api/problem'
import { Callout } from './Callout'

/** A failure in the console's own words; role alert has screen readers speak it at once. */
export function ProblemAlert({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const problem = problemOf(error)
  return (
    <Callout kind="failure" role="alert" title={problem.title}>
      {problem.message}
      {problem.fields.length > 0 && (
        <List fz="inherit" mt={4}>
          {problem.fields.map((field) => (
            <List.Item key={field.location + field.message}>
              {field.location}: {field.message}
            </List.Item>
          ))}
        </List>
      )}
      {onRetry && (
        <Button mt="xs" variant="default" display="block" onClick={onRetry}>
          Try again
        </Button>
      )}
    </Callout>
  )
}
