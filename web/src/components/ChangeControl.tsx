import { SegmentedControl } from '@mantine/core'
import { changes, type Change } from '../api/changes'
import { oneOf } from '../search'

interface ChangeControlProps {
  counts: Record<Change, number>
  names: Record<Change, string>
  value: Change | undefined
  onChange: (change: Change | undefined) => void
}

/** All changes, or one sort of them, with how many there are of each. */
export function ChangeControl({ counts, names, value, onChange }: ChangeControlProps) {
  return (
    <SegmentedControl
      size="xs"
      mb="xs"
      aria-label="Change"
      value={value ?? 'all'}
      onChange={(chosen) => {
        onChange(oneOf(changes, chosen))
      }}
      data={[{ value: 'all', label: 'All' }, ...changes.map((each) => ({ value: each, label: `${names[each]} ${counts[each].toLocaleString('en')}`, disabled: counts[each] === 0 }))]}
    />
  )
}
