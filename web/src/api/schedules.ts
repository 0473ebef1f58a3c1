import { keepPreviousData, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'
import { listQuery } from './page'
import { idlePoll, livePoll } from './scans'
import type { paths } from './schema'

export type Schedule = Got<'/api/v1/schedules'>['items'][number]

export type Run = Got<'/api/v1/schedules/{id}/runs'>['items'][number]
export type Preview = paths['/api/v1/schedules/preview']['post']['responses'][200]['content']['application/json']
export type SkippedNode = Got<'/api/v1/schedules/{id}/runs/{run}/skipped'>['items'][number]

/** What people say of a schedule, in full. */
export type Definition = paths['/api/v1/schedules']['post']['requestBody']['content']['application/json']
/** An edit: what it leaves out stays. */
export type Change = paths['/api/v1/schedules/{id}']['patch']['requestBody']['content']['application/json']
export type Window = NonNullable<Definition['maintenance_windows']>[number]

const schedulesKey = ['schedules']

export const schedulesQuery = () =>
  listQuery<Schedule>({
    key: schedulesKey,
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/schedules', { params: { query: { limit: 100, cursor } }, signal })),
    refetchEvery: () => idlePoll,
  })

export const scheduleQuery = (id: string) =>
  queryOptions({
    queryKey: [...schedulesKey, 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/schedules/{id}', { params: { path: { id } }, signal })),
    refetchInterval: idlePoll,
  })

export const runsQuery = (id: string) =>
  listQuery<Run>({
    key: [...schedulesKey, 'runs', id],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/schedules/{id}/runs', { params: { path: { id }, query: { limit: 50, cursor } }, signal })),
    refetchEvery: (runs) => (runs.some((run) => run.state === 'running') ? livePoll : idlePoll),
  })

export const skippedQuery = (id: string, run: string) =>
  listQuery<SkippedNode>({
    key: [...schedulesKey, 'skipped', id, run],
    fetchPage: (cursor, signal) =>
      bodyOf(api.GET('/api/v1/schedules/{id}/runs/{run}/skipped', { params: { path: { id, run }, query: { limit: 100, cursor } }, signal })),
    refetchEvery: () => false,
  })

/** Selectors to begin with. */
export const selectorsQuery = queryOptions({
  queryKey: ['selectors'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/schedules/selectors', { signal })),
  staleTime: Infinity,
})

/** What a definition would do, judged as saving would judge it; schedule is the id of the one that is edited. */
export const previewQuery = (definition: Definition, schedule?: string) => {
  // It may have no name yet, and is judged as if it were enabled.
  const body = { ...definition, name: undefined, enabled: undefined, schedule }
  return queryOptions({
    queryKey: ['preview', body],
    queryFn: ({ signal }) => bodyOf(api.POST('/api/v1/schedules/preview', { body, signal })),
    placeholderData: keepPreviousData,
  })
}

export function useEnableSchedule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (enabled: boolean) => bodyOf(api.PATCH('/api/v1/schedules/{id}', { params: { path: { id } }, body: { enabled } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
  })
}

export function useRunSchedule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.POST('/api/v1/schedules/{id}/run', { params: { path: { id } } })),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: schedulesKey }), queries.invalidateQueries({ queryKey: ['scans'] })]),
  })
}

export function useCreateSchedule() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: Definition) => bodyOf(api.POST('/api/v1/schedules', { body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
    meta: { shownInPlace: true },
  })
}

export function useEditSchedule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: Change) => bodyOf(api.PATCH('/api/v1/schedules/{id}', { params: { path: { id } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
    meta: { shownInPlace: true },
  })
}

/** Deletes a schedule. Its page is left first, so that nobody asks for what is gone. */
export function useDeleteSchedule(id: string, leave: () => Promise<void>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.DELETE('/api/v1/schedules/{id}', { params: { path: { id } } })),
    onSuccess: async () => {
      await leave()
      for (const part of ['one', 'runs', 'skipped']) queries.removeQueries({ queryKey: [...schedulesKey, part, id] })
      await queries.invalidateQueries({ queryKey: schedulesKey })
    },
    meta: { shownInPlace: true },
  })
}

export function usePauseSchedule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: { reason: string; until?: string }) => bodyOf(api.POST('/api/v1/schedules/{id}/pause', { params: { path: { id } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
    meta: { shownInPlace: true },
  })
}

export function useResumeSchedule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.POST('/api/v1/schedules/{id}/resume', { params: { path: { id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
  })
}

export function useCancelRun(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (run: string) => bodyOf(api.POST('/api/v1/schedules/{id}/runs/{run}/cancel', { params: { path: { id, run } } })),
    onSuccess: () => Promise.all([queries.invalidateQueries({ queryKey: schedulesKey }), queries.invalidateQueries({ queryKey: ['scans'] })]),
  })
}
