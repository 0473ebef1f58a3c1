import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { ProblemAlert } from './ProblemAlert'

interface DeleteDialogProps {
  /** What sort of thing it is: "rule". */
  noun: string
  name: string
  opened: boolean
  removing: { isPending: boolean; isError: boolean; error: unknown; mutate: () => void; reset: () => void }
  onClose: () => void
  /** What goes with it, and what stays. */
  children: ReactNode
}

/** Asks once more, and says what goes and what stays. */
export function DeleteDialog({ noun, name, opened, removing, onClose, children }: DeleteDialogProps) {
  const close = () => {
    onClose()
    removing.reset()
  }
  return (
    <Modal opened={opened} onClose={close} title={<span className="breakable">Delete {name}?</span>} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack gap="sm">
        {removing.isError && <ProblemAlert error={removing.error} />}
        <Text component="div" fz="sm">
          {children}
        </Text>
        <Group justify="flex-end" gap="xs">
          <Button variant="default" data-autofocus onClick={close}>
            Keep it
          </Button>
          <Button
            color="red.9"
            loading={removing.isPending}
            onClick={() => {
              removing.mutate()
            }}
          >
            Delete the {noun}
          </Button>
        </Group>
      </Stack>
    </Modal>
  )
}
