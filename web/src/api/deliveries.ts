import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Asked, type Got } from './client'
import { listQuery } from './page'
import { idlePoll, livePoll } from './scans'

export type Delivery = Got<'/api/v1/deliveries'>['items'][number]
export type DeliveryState = Delivery['state']
export type DeliveryLog = Got<'/api/v1/deliveries/{id}'>
export type DeliveryAttempt = DeliveryLog['log'][number]
export type DeliveryFilter = Pick<Asked<'/api/v1/deliveries'>, 'integration' | 'rule' | 'state'>

export const deliveryStates: DeliveryState[] = ['pending', 'delivered', 'dead', 'superseded']

const deliveriesKey = ['deliveries']

export const deliveriesQuery = (filter: DeliveryFilter) =>
  listQuery<Delivery>({
    key: [...deliveriesKey, 'list', filter],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/deliveries', { params: { query: { ...filter, limit: 50, cursor } }, signal })),
    refetchEvery: (deliveries) => (deliveries.some(({ state }) => state === 'pending') ? livePoll : idlePoll),
  })

export const deliveryQuery = (id: string) =>
  queryOptions({
    queryKey: [...deliveriesKey, 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/deliveries/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) => (state.data?.state === 'pending' ? livePoll : idlePoll),
  })

/** Sends a delivery once more that was given up. */
export function useRedeliver(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.POST('/api/v1/deliveries/{id}/redeliver', { params: { path: { id } } })),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: deliveriesKey }), queries.invalidateQueries({ queryKey: ['integrations'] })]),
  })
}
