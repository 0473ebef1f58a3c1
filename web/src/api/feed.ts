import { queryOptions } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'

export type Feed = Got<'/api/v1/feed'>

export const feedQuery = queryOptions({
  queryKey: ['feed'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/feed', { signal })),
  refetchInterval: 60_000,
})
