import { IconAlertTriangle, IconCircleCheck, IconEyeOff, IconFlask, IconInfoCircle } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import classes from './Callout.module.css'

const icons = { done: IconCircleCheck, failure: IconAlertTriangle, warning: IconAlertTriangle, unseen: IconEyeOff, sample: IconFlask, neutral: IconInfoCircle }

interface CalloutProps {
  kind: keyof typeof icons
  /** How screen readers take it: alert is spoken at once, status when there is a pause, note when it is reached. */
  role: 'alert' | 'status' | 'note'
  title?: string
  children: ReactNode
}

/** Something to know before reading on, calm enough to stay on show all day. */
export function Callout({ kind, role, title, children }: CalloutProps) {
  const Icon = icons[kind]
  return (
    <div role={role} className={classes.callout} data-kind={kind}>
      <Icon size={18} className={classes.icon} aria-hidden />
      <div className={classes.body}>
        {title !== undefined && <p className={classes.title}>{title}</p>}
        {children}
      </div>
    </div>
  )
}
