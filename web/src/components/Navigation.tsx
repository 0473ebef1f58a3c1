import { IconBell, IconCalendarDue, IconCalendarTime, IconRadar, IconServer } from '@tabler/icons-react'
import { Link, useLocation, type LinkProps } from '@tanstack/react-router'
import classes from './Navigation.module.css'

interface Entry {
  to: LinkProps['to']
  name: string
  icon: typeof IconServer
  /** Pages elsewhere that belong to it. */
  also?: string[]
}

const entries: Entry[] = [
  { to: '/nodes', name: 'Nodes', icon: IconServer },
  { to: '/scans', name: 'Scans', icon: IconRadar },
  { to: '/overdue', name: 'Overdue', icon: IconCalendarDue },
  { to: '/schedules', name: 'Schedules', icon: IconCalendarTime },
  { to: '/integrations', name: 'Notifications', icon: IconBell, also: ['/rules', '/deliveries'] },
]

export function Navigation() {
  const { pathname } = useLocation()
  return (
    <nav aria-label="Main" className={classes.navigation}>
      {entries.map(({ to, name, icon: Icon, also = [] }) => (
        <Link key={name} to={to} className={classes.entry} aria-current={also.some((path) => isWithin(pathname, path)) ? 'page' : undefined}>
          <Icon size={18} stroke={1.75} aria-hidden />
          {name}
        </Link>
      ))}
    </nav>
  )
}

/** Whether a page is at a path or below it. */
function isWithin(pathname: string, path: string): boolean {
  return pathname === path || pathname.startsWith(`${path}/`)
}
