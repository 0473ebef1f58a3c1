import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'
import { listQuery } from './page'
import { idlePoll } from './scans'

export type Schedule = Got<'/api/v1/schedules'>['items'][number]

export interface NewSchedule {
  name: string
  cron: string
  time_zone: string
  selector: string
  enabled: boolean
}

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
    mutationFn: (body: NewSchedule) => bodyOf(api.POST('/api/v1/schedules', { body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: schedulesKey }),
    meta: { shownInPlace: true },
  })
}
