import { NativeSelect } from '@mantine/core'
import { oneOf } from '../search'

interface FilterSelectProps<T extends string> {
  label: string
  any: string
  options: T[]
  value: T | undefined
  onChange: (value: T | undefined) => void
}

/** A filter of a list: one of the options, or any. */
export function FilterSelect<T extends string>({ label, any, options, value, onChange }: FilterSelectProps<T>) {
  return (
    <NativeSelect
      aria-label={label}
      value={value ?? ''}
      data={[{ value: '', label: any }, ...options]}
      onChange={(event) => {
        onChange(oneOf(options, event.currentTarget.value))
      }}
    />
  )
}
