import { Checkbox, NativeSelect, PasswordInput, Stack, Textarea, TextInput } from '@mantine/core'
import type { Field } from '../api/integrations'
import { helpOf, placeholderOf } from '../format/integration'

interface SettingFieldProps {
  field: Field
  value: string
  /** The field holds a secret that is set, which nobody is shown. */
  isSet: boolean
  removed: boolean
  error: string | undefined
  onChange: (value: string) => void
  onRemove: (removed: boolean) => void
}

/** A field of a kind of integration. A secret that is set is kept unless another is given, or it is taken away. */
export function SettingField(props: SettingFieldProps) {
  const { field, isSet, removed, onRemove } = props
  if (!isSet || field.required) return <SettingInput {...props} />
  return (
    <Stack gap={6}>
      <SettingInput {...props} />
      <Checkbox
        size="xs"
        label={`Take ${field.label} away`}
        checked={removed}
        onChange={(event) => {
          onRemove(event.currentTarget.checked)
        }}
      />
    </Stack>
  )
}

function SettingInput({ field, value, isSet, removed, error, onChange }: SettingFieldProps) {
  const shown = {
    label: field.label,
    description: helpOf(field),
    required: field.required && !isSet,
    disabled: removed,
    error,
    value,
    onChange: (event: { currentTarget: { value: string } }) => {
      onChange(event.currentTarget.value)
    },
  }
  const placeholder = placeholderOf(field, isSet)
  if (field.choices !== undefined) return <NativeSelect size="sm" {...shown} value={value || (field.default ?? '')} data={choicesOf(field, field.choices)} />
  if (field.multiline) return <Textarea {...shown} size="sm" placeholder={placeholder} autosize minRows={2} maxRows={8} spellCheck={false} autoComplete="off" classNames={{ input: 'mono' }} />
  if (field.secret) return <PasswordInput {...shown} placeholder={placeholder} autoComplete="new-password" />
  return <TextInput {...shown} placeholder={placeholder} autoComplete="off" spellCheck={false} />
}

/** Where nothing is chosen unless somebody does, that is a choice of its own. */
function choicesOf({ default: standard }: Field, choices: string[]): { value: string; label: string }[] {
  const all = choices.map((choice) => ({ value: choice, label: choice }))
  return standard === undefined ? [{ value: '', label: 'None chosen' }, ...all] : all
}
