import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'

export type Session = Got<'/api/v1/session'>

/** What the users' roles may do grows from one to the next. */
const operators = ['operator', 'admin']

/** Whether a role may start and cancel scans, and change schedules. */
export const mayOperate = (role: string): boolean => operators.includes(role)

/** Whether a role may change integrations, and see teams. */
export const mayAdminister = (role: string): boolean => role === 'admin'

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

/** Whether who is signed in may operate: what they may not do is not offered, and the console would refuse it. */
export function useMayOperate(): boolean {
  const { data: session } = useQuery(sessionQuery)
  return session !== undefined && mayOperate(session.user.role)
}

/** Whether who is signed in may administer. */
export function useMayAdminister(): boolean {
  const { data: session } = useQuery(sessionQuery)
  return session !== undefined && mayAdminister(session.user.role)
}

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
