import { Box, Button, Grid, Group, Stack } from '@mantine/core'
import type { ReactNode, SubmitEvent } from 'react'
import { refusedFields } from '../api/problem'
import { ProblemAlert } from './ProblemAlert'
import { bringIntoSight } from './sight'

interface PreviewedFormProps {
  /** What the form is for those who cannot see it. */
  name: string
  /** The fields that show what was refused of them. */
  fields: string[]
  saving: { isPending: boolean; error: unknown }
  /** What the button says that saves. */
  action: string
  preview: ReactNode
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}

/** A form that shows beside its fields what saving it would do. */
export function PreviewedForm({ name, fields, saving, action, preview, onSubmit, onClose, children }: PreviewedFormProps) {
  const submit = (event: SubmitEvent<HTMLFormElement>) => {
    event.preventDefault()
    onSubmit()
  }
  return (
    <form onSubmit={submit} aria-label={name}>
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, sm: 7 }}>
          <Stack gap="sm">{children}</Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, sm: 5 }}>{preview}</Grid.Col>
      </Grid>
      {saving.error !== null && !isShown(saving.error, fields) && (
        <Box mt="md" ref={bringIntoSight}>
          <ProblemAlert error={saving.error} />
        </Box>
      )}
      <Group justify="flex-end" gap="xs" mt="md">
        <Button variant="default" onClick={onClose}>
          Close
        </Button>
        <Button type="submit" loading={saving.isPending}>
          {action}
        </Button>
      </Group>
    </form>
  )
}

/** Whether a refusal stands at its fields; any other stands by the button that met it. */
function isShown(error: unknown, fields: string[]): boolean {
  const refused = refusedFields(error)
  return refused.length > 0 && refused.every((field) => fields.includes(field))
}
