import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'

export type Session = Got<'/api/v1/session'>

export interface Credentials {
  username: string
  password: string
}

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/session', { signal })),
  staleTime: Infinity,
  retry: false,
})

/** Signs in: the console sets the cookie. What an earlier user saw is forgotten. */
export function useSignIn() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: async (body: Credentials) => {
      const { user } = await bodyOf(api.POST('/api/v1/session', { body }))
      queries.clear()
      queries.setQueryData(sessionQuery.queryKey, { user })
    },
    meta: { shownInPlace: true },
  })
}

export function useSignOut() {
  return useMutation({
    mutationFn: () => bodyOf(api.DELETE('/api/v1/session')),
  })
}
