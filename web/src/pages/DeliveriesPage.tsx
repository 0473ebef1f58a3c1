import { useNavigate, useSearch } from '@tanstack/react-router'
import { DeliveriesTable } from '../components/DeliveriesTable'
import { DeliveryFilters } from '../components/DeliveryFilters'
import { NotificationTabs } from '../components/NotificationTabs'
import { PageHeader } from '../components/PageHeader'
import { isNarrowed } from '../search'

export function DeliveriesPage() {
  const filter = useSearch({ from: '/console/deliveries' })
  const navigate = useNavigate({ from: '/deliveries' })
  return (
    <>
      <PageHeader title="Deliveries" />
      <NotificationTabs />
      <DeliveryFilters filter={filter} onChange={(search) => void navigate({ search, replace: true })} />
      <DeliveriesTable filter={filter} empty={isNarrowed(filter) ? 'Clear a filter to see the rest.' : undefined} />
    </>
  )
}
