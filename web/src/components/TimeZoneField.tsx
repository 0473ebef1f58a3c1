import { TextInput } from '@mantine/core'
import { useId } from 'react'

interface TimeZoneFieldProps {
  label: string
  description?: string
  required?: boolean
  placeholder?: string
  value: string
  error: string | undefined
  onChange: (zone: string) => void
}

const zones = Intl.supportedValuesOf('timeZone')

/** An IANA zone, of which the browser proposes those that it knows; the console may know others. */
export function TimeZoneField({ onChange, ...field }: TimeZoneFieldProps) {
  const list = useId()
  return (
    <>
      <TextInput
        {...field}
        withAsterisk={false}
        autoComplete="off"
        list={list}
        onChange={(event) => {
          onChange(event.currentTarget.value)
        }}
      />
      <datalist id={list}>
        {zones.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
    </>
  )
}
