import { Group, Tooltip } from '@mantine/core'
import { Copy } from './Command'
import { None } from './Time'

/** A digest or revision, cut to what tells two apart; copying takes all of it. */
export function Digest({ value, what, note, length = 12 }: { value: string; what: string; note?: string; length?: number }) {
  if (value === '') return <None />
  return (
    <Group gap={2} wrap="nowrap">
      <Tooltip label={value} multiline maw={420} className="breakable">
        <span className="mono unbroken">{value.replace(/^sha256:/, '').slice(0, length)}</span>
      </Tooltip>
      <Copy value={value} what={what} />
      {note}
    </Group>
  )
}
