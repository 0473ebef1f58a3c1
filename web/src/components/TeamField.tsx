import { NativeSelect, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { teamNamesQuery } from '../api/rules'
import { useMayAdminister } from '../api/session'

interface TeamFieldProps {
  value: string
  error: string | undefined
  onChange: (team: string) => void
}

const label = 'Team'
const description = 'Only what is about its nodes; empty for all'

/** A team by its name: to be chosen by administrators, who alone may list them, and to be written by others. */
export function TeamField({ value, error, onChange }: TeamFieldProps) {
  const mayList = useMayAdminister()
  const { data: teams } = useQuery({ ...teamNamesQuery, enabled: mayList })
  const shown = {
    label,
    description,
    value,
    error,
    onChange: (event: { currentTarget: { value: string } }) => {
      onChange(event.currentTarget.value)
    },
  }
  if (teams === undefined) return <TextInput {...shown} autoComplete="off" />
  const names = teams.includes(value) || value === '' ? teams : [value, ...teams]
  return <NativeSelect size="sm" {...shown} data={[{ value: '', label: 'Any team' }, ...names]} />
}
