import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Answered, type Got, type Posted } from './client'
import { allPages, listQuery } from './page'
import { idlePoll } from './scans'
import type { paths } from './schema'

export type Integration = Got<'/api/v1/integrations'>['items'][number]
export type IntegrationState = Integration['state']
export type Kind = Got<'/api/v1/integrations/kinds'>['items'][number]
export type Field = Kind['fields'][number]
export type NewIntegration = Posted<'/api/v1/integrations'>
/** An edit: what it leaves out stays. */
export type IntegrationChange = paths['/api/v1/integrations/{id}']['patch']['requestBody']['content']['application/json']
/** What came of a test. */
export type Trial = Answered<'/api/v1/integrations/test'>

const integrationsKey = ['integrations']

export const integrationsQuery = () =>
  listQuery<Integration>({
    key: [...integrationsKey, 'list'],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/integrations', { params: { query: { limit: 100, cursor } }, signal })),
    refetchEvery: () => idlePoll,
  })

/** All of them at once: for lists that name them, and for choosing. */
export const allIntegrationsQuery = queryOptions({
  queryKey: [...integrationsKey, 'all'],
  queryFn: ({ signal }) => allPages<Integration>((cursor) => bodyOf(api.GET('/api/v1/integrations', { params: { query: { limit: 100, cursor } }, signal }))),
  staleTime: idlePoll,
})

/** The names of integrations by their ids. */
export function useIntegrationNames(): Record<string, string | undefined> {
  const { data: all = [] } = useQuery(allIntegrationsQuery)
  return Object.fromEntries(all.map(({ id, name }) => [id, name]))
}

export const integrationQuery = (id: string) =>
  queryOptions({
    queryKey: [...integrationsKey, 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/integrations/{id}', { params: { path: { id } }, signal })),
    refetchInterval: idlePoll,
  })

export const kindsQuery = queryOptions({
  queryKey: ['integration kinds'],
  queryFn: async ({ signal }) => (await bodyOf(api.GET('/api/v1/integrations/kinds', { signal }))).items,
  staleTime: Infinity,
})

/** Sends a test by settings that are not saved. */
export function useTestSettings() {
  return useMutation({
    mutationFn: (body: NewIntegration) => bodyOf(api.POST('/api/v1/integrations/test', { body })),
    meta: { shownInPlace: true },
  })
}

export function useTestIntegration(id: string) {
  return useMutation({
    mutationFn: () => bodyOf(api.POST('/api/v1/integrations/{id}/test', { params: { path: { id } } })),
    meta: { shownInPlace: true },
  })
}

export function useCreateIntegration() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: NewIntegration) => bodyOf(api.POST('/api/v1/integrations', { body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: integrationsKey }),
    meta: { shownInPlace: true },
  })
}

export function useEditIntegration(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: IntegrationChange) => bodyOf(api.PATCH('/api/v1/integrations/{id}', { params: { path: { id } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: integrationsKey }),
    meta: { shownInPlace: true },
  })
}

export function useEnableIntegration(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (enabled: boolean) => bodyOf(api.PATCH('/api/v1/integrations/{id}', { params: { path: { id } }, body: { enabled } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: integrationsKey }),
  })
}

/** Sends once more what was given up. */
export function useRedeliverIntegration(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.POST('/api/v1/integrations/{id}/redeliver', { params: { path: { id } } })),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: integrationsKey }), queries.invalidateQueries({ queryKey: ['deliveries'] })]),
  })
}

/** Deletes an integration. Its page is left first, so that nobody asks for what is gone. */
export function useDeleteIntegration(id: string, leave: () => Promise<void>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.DELETE('/api/v1/integrations/{id}', { params: { path: { id } } })),
    onSuccess: async () => {
      await leave()
      queries.removeQueries({ queryKey: [...integrationsKey, 'one', id] })
      await Promise.all([queries.invalidateQueries({ queryKey: integrationsKey }), queries.invalidateQueries({ queryKey: ['deliveries'] })])
    },
    meta: { shownInPlace: true },
  })
}
