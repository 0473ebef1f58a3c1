import { SimpleGrid, Text, UnstyledButton } from '@mantine/core'
import type { Icon as IconComponent } from '@tabler/icons-react'
import classes from './Choices.module.css'

export interface Choice {
  key: string
  title: string
  /** What it comes to, in a line. */
  text: string
  icon?: IconComponent
}

/** What something new may begin with, one of which is chosen by a click. */
export function Choices({ choices, onChoose }: { choices: Choice[]; onChoose: (key: string) => void }) {
  return (
    <SimpleGrid cols={{ base: 1, xs: 2, sm: 3 }} spacing="xs" verticalSpacing="xs">
      {choices.map(({ key, title, text, icon: Icon }) => (
        <UnstyledButton
          key={key}
          className={classes.choice}
          onClick={() => {
            onChoose(key)
          }}
        >
          {Icon !== undefined && <Icon size={20} stroke={1.5} className={classes.icon} aria-hidden />}
          <div className={classes.words}>
            <Text fz="sm" fw={600}>
              {title}
            </Text>
            <Text fz="xs" c="dimmed">
              {text}
            </Text>
          </div>
        </UnstyledButton>
      ))}
    </SimpleGrid>
  )
}
