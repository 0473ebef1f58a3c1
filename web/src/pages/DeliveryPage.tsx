import { Box, Skeleton, Text, Title } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { deliveryQuery } from '../api/deliveries'
import { useMayOperate } from '../api/session'
import { SendAgainButton } from '../components/DeliveriesTable'
import { DeliveryAttempts } from '../components/DeliveryAttempts'
import { DeliveryFacts } from '../components/DeliveryFacts'
import { NotificationCard } from '../components/NotificationCard'
import { PageHeader } from '../components/PageHeader'
import { ProblemAlert } from '../components/ProblemAlert'

export function DeliveryPage() {
  const { id } = useParams({ from: '/console/deliveries/$id' })
  const delivery = useQuery(deliveryQuery(id))
  const mayOperate = useMayOperate()
  return (
    <>
      <PageHeader title={delivery.data?.title ?? 'Delivery'}>{delivery.data && mayOperate && <SendAgainButton delivery={delivery.data} size="xs" />}</PageHeader>
      {delivery.isPending && <Skeleton height={120} mb="md" />}
      {delivery.isError && <ProblemAlert error={delivery.error} onRetry={() => void delivery.refetch()} />}
      {delivery.data && (
        <>
          <DeliveryFacts delivery={delivery.data} />
          <Title order={2} mb="xs">
            What it says
          </Title>
          <Box mb="md">
            <NotificationCard notification={delivery.data.notification} />
            <Text fz="xs" c="dimmed" mt={4} className="breakable">
              All that is told of the same matter has the key <span className="mono">{delivery.data.key}</span>
            </Text>
          </Box>
          <Title order={2} mb="xs">
            Attempts
          </Title>
          <DeliveryAttempts delivery={delivery.data} />
        </>
      )}
    </>
  )
}
