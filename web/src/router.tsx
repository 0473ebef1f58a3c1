import type { QueryClient } from '@tanstack/react-query'
import { createRootRouteWithContext, createRoute, createRouter, Outlet, redirect } from '@tanstack/react-router'
import { isUnauthorised } from './api/problem'
import { sessionQuery } from './api/session'
import { Shell } from './components/Shell'
import { DeliveriesPage } from './pages/DeliveriesPage'
import { DeliveryPage } from './pages/DeliveryPage'
import { FailedPage } from './pages/FailedPage'
import { IntegrationPage } from './pages/IntegrationPage'
import { IntegrationsPage } from './pages/IntegrationsPage'
import { NodePage } from './pages/NodePage'
import { NodesPage } from './pages/NodesPage'
import { NotFoundPage } from './pages/NotFoundPage'
import { OverduePage } from './pages/OverduePage'
import { ReportPage } from './pages/ReportPage'
import { RulePage } from './pages/RulePage'
import { RulesPage } from './pages/RulesPage'
import { ScanPage } from './pages/ScanPage'
import { SchedulePage } from './pages/SchedulePage'
import { SchedulesPage } from './pages/SchedulesPage'
import { SignInPage } from './pages/SignInPage'
import { deliveriesSearch, nodesSearch, overdueSearch, reportSearch, scanSearch, signInSearch } from './search'

interface RouterContext {
  queries: QueryClient
}

const root = createRootRouteWithContext<RouterContext>()({ component: Outlet, notFoundComponent: NotFoundPage })

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', validateSearch: signInSearch, component: SignInPage })

/** Every page but the sign-in page lies below this route, which knows who is signed in, or asks. */
const signedIn = createRoute({
  getParentRoute: () => root,
  id: 'console',
  component: Shell,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queries.query({ ...sessionQuery, staleTime: 'static' })
    } catch (error) {
      if (!isUnauthorised(error)) throw error
      throw redirect({ to: '/sign-in', search: { target: location.href } })
    }
  },
})

const home = createRoute({
  getParentRoute: () => signedIn,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/nodes' })
  },
})

const nodes = createRoute({ getParentRoute: () => signedIn, path: '/nodes', validateSearch: nodesSearch, component: NodesPage })
const node = createRoute({ getParentRoute: () => signedIn, path: '/nodes/$id', component: NodePage })
const scans = createRoute({ getParentRoute: () => signedIn, path: '/scans', validateSearch: reportSearch, component: ReportPage })
const scan = createRoute({ getParentRoute: () => signedIn, path: '/scans/$id', validateSearch: scanSearch, component: ScanPage })
const overdue = createRoute({ getParentRoute: () => signedIn, path: '/overdue', validateSearch: overdueSearch, component: OverduePage })
const schedules = createRoute({ getParentRoute: () => signedIn, path: '/schedules', component: SchedulesPage })
const schedule = createRoute({ getParentRoute: () => signedIn, path: '/schedules/$id', component: SchedulePage })
const integrations = createRoute({ getParentRoute: () => signedIn, path: '/integrations', component: IntegrationsPage })
const integration = createRoute({ getParentRoute: () => signedIn, path: '/integrations/$id', component: IntegrationPage })
const rules = createRoute({ getParentRoute: () => signedIn, path: '/rules', component: RulesPage })
const rule = createRoute({ getParentRoute: () => signedIn, path: '/rules/$id', component: RulePage })
const deliveries = createRoute({ getParentRoute: () => signedIn, path: '/deliveries', validateSearch: deliveriesSearch, component: DeliveriesPage })
const delivery = createRoute({ getParentRoute: () => signedIn, path: '/deliveries/$id', component: DeliveryPage })

const notifications = [integrations, integration, rules, rule, deliveries, delivery]

const routes = root.addChildren([signIn, signedIn.addChildren([home, nodes, node, scans, scan, overdue, schedules, schedule, ...notifications])])

export function createConsoleRouter(queries: QueryClient) {
  return createRouter({ routeTree: routes, context: { queries }, defaultErrorComponent: FailedPage, scrollRestoration: true })
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof createConsoleRouter>
  }
}
