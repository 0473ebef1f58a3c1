import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'

export type Scan = Got<'/api/v1/scans/{id}'>
export type NotAssessed = Scan['not_assessed'][number]
export type Unread = Scan['unread'][number]
export type Warning = Scan['warnings'][number]

/** Milliseconds between requests while something is under way, and while nothing is. */
export const livePoll = 2_000
export const idlePoll = 15_000

export function isUnfinished(state: string): boolean {
  return state === 'queued' || state === 'collecting' || state === 'matching' || state === 'running'
}

export const scanQuery = (id: string) =>
  queryOptions({
    queryKey: ['scans', 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/scans/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) => (state.data && isUnfinished(state.data.state) ? livePoll : false),
  })

/** Asks for a scan of one node now. */
export function useScanNow() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (node: string) => bodyOf(api.POST('/api/v1/scans', { body: { nodes: [node] } })),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: ['nodes'] }), queries.invalidateQueries({ queryKey: ['scans'] })]),
  })
}

export function useCancelScan() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (id: string) => bodyOf(api.POST('/api/v1/scans/{id}/cancel', { params: { path: { id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['scans'] }),
  })
}
