import { ActionIcon, Code, CopyButton, Group, Tooltip } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'

/** A command to run elsewhere, with a button that copies it. */
export function Command({ children }: { children: string }) {
  return (
    <Group gap={6} wrap="nowrap" display="inline-flex">
      <Code fz="sm" px={8} py={4} ta="left" className="breakable">
        {children}
      </Code>
      <Copy value={children} what="command" />
    </Group>
  )
}

export function Copy({ value, what }: { value: string; what: string }) {
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : `Copy ${what}`}>
          <ActionIcon variant="subtle" color="gray" size={20} aria-label={copied ? 'Copied' : `Copy ${what}`} onClick={copy}>
            {copied ? <IconCheck size={14} aria-hidden /> : <IconCopy size={14} aria-hidden />}
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  )
}
