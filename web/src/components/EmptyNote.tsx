import { EmptyState, Paper } from '@mantine/core'
import type { Icon as IconComponent } from '@tabler/icons-react'
import type { ReactNode } from 'react'

interface EmptyNoteProps {
  icon: IconComponent
  title: string
  /** What to do next. */
  children: ReactNode
  /** The button that does it, or the command. */
  action?: ReactNode
}

export function EmptyNote({ icon: Icon, title, children, action }: EmptyNoteProps) {
  return (
    <Paper withBorder py={48} px="md" bg="var(--surface)">
      <EmptyState icon={<Icon stroke={1.25} aria-hidden />} title={title} description={children}>
        {action !== undefined && <EmptyState.Actions>{action}</EmptyState.Actions>}
      </EmptyState>
    </Paper>
  )
}
