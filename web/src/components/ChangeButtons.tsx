import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { ReactNode } from 'react'

interface Dialog {
  opened: boolean
  onClose: () => void
}

interface ChangeButtonsProps {
  enabled: boolean
  enabling: { isPending: boolean }
  onEnable: (enabled: boolean) => void
  editDialog: (dialog: Dialog) => ReactNode
  deleteDialog: (dialog: Dialog) => ReactNode
}

/** How a thing that can be disabled is changed: it is deleted, disabled or enabled, and edited. */
export function ChangeButtons({ enabled, enabling, onEnable, editDialog, deleteDialog }: ChangeButtonsProps) {
  const [editing, edit] = useDisclosure(false)
  const [deleting, remove] = useDisclosure(false)
  return (
    <>
      <Button variant="default" onClick={remove.open}>
        Delete
      </Button>
      <Button
        variant="default"
        loading={enabling.isPending}
        onClick={() => {
          onEnable(!enabled)
        }}
      >
        {enabled ? 'Disable' : 'Enable'}
      </Button>
      <Button variant="default" onClick={edit.open}>
        Edit
      </Button>
      {editDialog({ opened: editing, onClose: edit.close })}
      {deleteDialog({ opened: deleting, onClose: remove.close })}
    </>
  )
}
