import { NativeSelect } from '@mantine/core'
import { oneOf } from '../search'

interface FilterSelectProps<T extends string> {
  label: string
  any: string
  options: T[]
  /** What the options are called, where it is not what they are. */
  names?: Record<T, string>
  value: T | undefined
  onChange: (value: T | undefined) => void
}

/** A filter of a list: one of the options, or any. */
export function FilterSelect<T extends string>({ label, any, options, names, value, onChange }: FilterSelectProps<T>) {
  return (
    <NativeSelect
      aria-label={label}
      value={value ?? ''}
      data={[{ value: '', label: any }, ...options.map((option) => ({ value: option, label: names?.[option] ?? option }))]}
      onChange={(event) => {
        onChange(oneOf(options, event.currentTarget.value))
      }}
    />
  )
}
