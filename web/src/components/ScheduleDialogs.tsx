import { Modal } from '@mantine/core'
import { useState, type ReactNode } from 'react'
import { useCreateSchedule, useEditSchedule, type Schedule } from '../api/schedules'
import { changeOf, definitionOf, draftOf, newDraft } from '../format/draft'
import { ScheduleForm } from './ScheduleForm'

interface DialogProps {
  opened: boolean
  onClose: () => void
}

export function NewScheduleDialog(props: DialogProps) {
  return (
    <ScheduleDialog {...props} title="New schedule">
      <NewSchedule onDone={props.onClose} />
    </ScheduleDialog>
  )
}

export function EditScheduleDialog({ schedule, ...props }: DialogProps & { schedule: Schedule }) {
  return (
    <ScheduleDialog {...props} title={`Edit ${schedule.name}`}>
      <EditSchedule schedule={schedule} onDone={props.onClose} />
    </ScheduleDialog>
  )
}

/** A click beside it does not close it: too much may have been written. */
function ScheduleDialog({ opened, onClose, title, children }: DialogProps & { title: string; children: ReactNode }) {
  return (
    <Modal opened={opened} onClose={onClose} size="60rem" title={<span className="breakable">{title}</span>} closeOnClickOutside={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      {children}
    </Modal>
  )
}

function NewSchedule({ onDone }: { onDone: () => void }) {
  const create = useCreateSchedule()
  const [initial] = useState(() => newDraft(Intl.DateTimeFormat().resolvedOptions().timeZone))
  return (
    <ScheduleForm
      name="New schedule"
      initial={initial}
      saving={create}
      action="Create the schedule"
      onClose={onDone}
      onSubmit={(draft) => {
        create.mutate(definitionOf(draft), { onSuccess: onDone })
      }}
    />
  )
}

/** What stood there when it was opened decides what was changed, however often the page reads the schedule meanwhile. */
function EditSchedule({ schedule, onDone }: { schedule: Schedule; onDone: () => void }) {
  const edit = useEditSchedule(schedule.id)
  const [initial] = useState(() => draftOf(schedule))
  return (
    <ScheduleForm
      name="Edit the schedule"
      initial={initial}
      schedule={schedule.id}
      saving={edit}
      action="Save the changes"
      onClose={onDone}
      onSubmit={(draft) => {
        edit.mutate(changeOf(initial, draft), { onSuccess: onDone })
      }}
    />
  )
}
