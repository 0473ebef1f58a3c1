import { Group, Text } from '@mantine/core'
import type { Notification } from '../api/rules'
import { isSeverity } from '../format/severity'
import { SeverityWord } from './Named'
import classes from './NotificationCard.module.css'

/** A notification as it is told, whatever the far side makes of it. */
export function NotificationCard({ notification: { title, text, severity, action, facts, total } }: { notification: Notification }) {
  return (
    <article className={classes.card}>
      <Group gap={8} mb={4}>
        <Harm severity={severity} />
        <Text span fz="xs" c="dimmed">
          {action}
          {total > 0 && `, ${total === 1 ? '1 finding' : `${total.toLocaleString('en')} findings`}`}
        </Text>
      </Group>
      <Text fz="sm" fw={600} className="breakable">
        {title}
      </Text>
      {text !== '' && (
        <Text component="div" fz="sm" className="breakable preformatted">
          {text}
        </Text>
      )}
      {facts.length > 0 && (
        <dl className={classes.facts}>
          {facts.map(({ name, value }, index) => (
            <div key={index}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </article>
  )
}

/** What is no harm is no severity of a finding; an example has none at all. */
function Harm({ severity }: { severity: string }) {
  if (severity === '') return null
  if (isSeverity(severity)) return <SeverityWord severity={severity} />
  return (
    <Text span fz="xs" fw={600} c="dimmed">
      {severity}
    </Text>
  )
}
