import { Button, Checkbox, Group, Text } from '@mantine/core'
import type { ReactNode } from 'react'

interface FilterBarProps {
  /** What else the list is of, which no filter here asks for: "one node". */
  only?: string
  narrowed: boolean
  onClear: () => void
  children: ReactNode
}

/** The filters of a list, which the address holds: a view can be sent to somebody. */
export function FilterBar({ only, narrowed, onClear, children }: FilterBarProps) {
  return (
    <Group role="group" aria-label="Filters" gap="xs" mb="xs">
      {children}
      {only !== undefined && (
        <Text fz="xs" fw={600} className="breakable">
          Only of {only}
        </Text>
      )}
      {narrowed && (
        <Button variant="subtle" onClick={onClear}>
          Clear
        </Button>
      )}
    </Group>
  )
}

interface FilterBoxProps {
  label: string
  checked: boolean | undefined
  onChange: (checked: true | undefined) => void
}

/** A filter that is on or not asked for. */
export function FilterBox({ label, checked, onChange }: FilterBoxProps) {
  return (
    <Checkbox
      size="xs"
      label={label}
      checked={checked ?? false}
      onChange={(event) => {
        onChange(event.currentTarget.checked || undefined)
      }}
    />
  )
}
