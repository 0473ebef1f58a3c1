import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'
import { listQuery } from './page'
import { idlePoll } from './scans'
import type { paths } from './schema'

export type Schedule = Got<'/api/v1/schedules'>['items'][number]

/** What a schedule is made of, in full: the form that makes one shows the API's own defaults, and sends them. */
export type Definition = paths['/api/v1/schedules']['post']['requestBody']['content']['application/json']

/** A schedule before anybody has said anything: daily at three, every node. */
export const newDefinition = (): Definition => ({
  name: '',
  cron: '0 3 * * *',
  time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone,
  selector: 'true',
  overlap: 'allow',
  catch_up_window: '168h',
  run_timeout: '24h',
  enabled: true,
})

const schedulesKey = ['schedules']

export const schedulesQuery = () =>
  listQuery<Schedule>({
    key: schedulesKey,
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/schedules', { params: { query: { limit: 100, cursor } }, signal })),
    refetchEvery: () => idlePoll,
  })

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
