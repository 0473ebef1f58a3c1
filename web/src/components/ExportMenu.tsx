import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconDownload } from '@tabler/icons-react'
import type { UseMutationResult } from '@tanstack/react-query'
import { exportFormats, type ExportFormat } from '../api/export'

interface ExportMenuProps {
  /** What is exported, for those who cannot see what the button stands beside. */
  what: string
  exporting: UseMutationResult<void, Error, ExportFormat>
}

/** What is on show, as a file in a format of one's choice. A refusal is said in a notice. */
export function ExportMenu({ what, exporting }: ExportMenuProps) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button
          variant="default"
          aria-label={`Export ${what}`}
          loading={exporting.isPending}
          leftSection={<IconDownload size={14} aria-hidden />}
          rightSection={<IconChevronDown size={14} aria-hidden />}
        >
          Export
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {formats.map(([format, name]) => (
          <Menu.Item
            key={format}
            onClick={() => {
              exporting.mutate(format)
            }}
          >
            {name}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}

const formats = Object.entries(exportFormats) as [ExportFormat, string][]
