import { queryOptions } from '@tanstack/react-query'
import { api, bodyOf, type Asked, type Got } from './client'
import { listQuery } from './page'
import { idlePoll, isUnfinished, livePoll } from './scans'

export type Node = Got<'/api/v1/nodes/{id}'>
export type NodeKind = Node['kind']
export type NodeState = Node['state']

/** A list of nodes holds the living ones: a retired node is reached by its scans. */
export type NodeFilter = Pick<Asked<'/api/v1/nodes'>, 'kind' | 'state'>

export const nodeKinds: NodeKind[] = ['host', 'container', 'image', 'cluster']
export const nodeStates: NonNullable<NodeFilter['state']>[] = ['active', 'inactive']

export const nodesQuery = (filter: NodeFilter) =>
  listQuery<Node>({
    key: ['nodes', 'list', filter],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/nodes', { params: { query: { ...filter, limit: 100, cursor } }, signal })),
    refetchEvery: (nodes) => (nodes.some(isBeingScanned) ? livePoll : idlePoll),
  })

export const nodeQuery = (id: string) =>
  queryOptions({
    queryKey: ['nodes', 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/nodes/{id}', { params: { path: { id } }, signal })),
    refetchInterval: ({ state }) => (state.data && isBeingScanned(state.data) ? livePoll : idlePoll),
  })

function isBeingScanned(node: Node): boolean {
  return node.last_scan !== undefined && isUnfinished(node.last_scan.state)
}
