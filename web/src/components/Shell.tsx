import { AppShell, Group } from '@mantine/core'
import { Outlet, useLocation } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { AccountMenu } from './AccountMenu'
import { Brand } from './Brand'
import { ColorSchemeToggle } from './ColorSchemeToggle'
import { FeedBanner } from './FeedBanner'
import { Navigation } from './Navigation'
import { Notices } from './Notices'

/** What surrounds every page of someone who is signed in. */
export function Shell() {
  useFocusOnNavigation()
  return (
    <AppShell header={{ height: 48 }} navbar={{ width: { base: 92, lg: 184 }, breakpoint: 0 }} padding="md">
      <a className="skip-link" href="#main">
        Skip to the page
      </a>
      <AppShell.Header bg="var(--surface)" px="md">
        <Group h="100%" justify="space-between">
          <Brand />
          <Group gap="xs">
            <ColorSchemeToggle />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar bg="var(--surface)">
        <Navigation />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} bg="var(--surface-sunken)">
        <FeedBanner />
        <Outlet />
      </AppShell.Main>
      <Notices />
    </AppShell>
  )
}

/** Moves the focus to a page that has just been navigated to, as a browser does when it loads one. */
function useFocusOnNavigation(): void {
  const { pathname } = useLocation()
  const shown = useRef(pathname)
  useEffect(() => {
    if (shown.current === pathname) return
    shown.current = pathname
    document.getElementById('main')?.focus({ preventScroll: true })
  }, [pathname])
}
