import { IconCalendarDue, IconCalendarTime, IconRadar, IconServer } from '@tabler/icons-react'
import { Link, type LinkProps } from '@tanstack/react-router'
import classes from './Navigation.module.css'

const entries: { to: LinkProps['to']; name: string; icon: typeof IconServer }[] = [
  { to: '/nodes', name: 'Nodes', icon: IconServer },
  { to: '/scans', name: 'Scans', icon: IconRadar },
  { to: '/overdue', name: 'Overdue', icon: IconCalendarDue },
  { to: '/schedules', name: 'Schedules', icon: IconCalendarTime },
]

export function Navigation() {
  return (
    <nav aria-label="Main" className={classes.navigation}>
      {entries.map(({ to, name, icon: Icon }) => (
        <Link key={name} to={to} className={classes.entry}>
          <Icon size={18} stroke={1.75} aria-hidden />
          {name}
        </Link>
      ))}
    </nav>
  )
}
