import { Group, Title } from '@mantine/core'
import type { ReactNode } from 'react'

interface PageHeaderProps {
  title: string
  /** What the page can do, at its right. */
  children?: ReactNode
}

/** The page's heading, which is its document title as well. */
export function PageHeader({ title, children }: PageHeaderProps) {
  return (
    <Group justify="space-between" align="center" mb="sm" mih={34}>
      <title>{`${title} · Patrol`}</title>
      <Title order={1} className="breakable">
        {title}
      </Title>
      <Group gap="xs">{children}</Group>
    </Group>
  )
}
