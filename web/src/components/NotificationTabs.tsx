import { Link, type LinkProps } from '@tanstack/react-router'
import classes from './NotificationTabs.module.css'

const tabs: { to: LinkProps['to']; name: string }[] = [
  { to: '/integrations', name: 'Integrations' },
  { to: '/rules', name: 'Rules' },
  { to: '/deliveries', name: 'Deliveries' },
]

/** The three sides of notifications: where to, of what, and what became of it. */
export function NotificationTabs() {
  return (
    <nav aria-label="Notifications" className={classes.tabs}>
      {tabs.map(({ to, name }) => (
        <Link key={name} to={to} className={classes.tab} activeOptions={{ exact: true, includeSearch: false }}>
          {name}
        </Link>
      ))}
    </nav>
  )
}
