import { SimpleGrid, Stack, Text } from '@mantine/core'
import { useState, type ReactNode } from 'react'

interface AdvancedProps {
  /** Something is said in it: it begins open. */
  opened: boolean
  /** The console refuses something of it: it must be seen. */
  refused: boolean
  children: ReactNode
}

/** The part of a form that most leave as it is. It is open where somebody does not, and where something is to be mended. */
export function Advanced({ opened, refused, children }: AdvancedProps) {
  const [open, setOpen] = useState(opened)
  return (
    <details
      open={open || refused}
      onToggle={(event) => {
        setOpen(event.currentTarget.open)
      }}
      onInvalidCapture={() => {
        setOpen(true)
      }}
    >
      <summary>
        <Text span fz="sm" fw={500}>
          Advanced
        </Text>
      </summary>
      <Stack gap="md" mt="xs">
        {children}
      </Stack>
    </details>
  )
}

/** Fields of a form side by side, where there is room. */
export function Fields({ children }: { children: ReactNode }) {
  return (
    <SimpleGrid cols={{ base: 1, sm: 2 }} spacing="sm" style={{ alignItems: 'start' }}>
      {children}
    </SimpleGrid>
  )
}
