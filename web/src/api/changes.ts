import { queryOptions } from '@tanstack/react-query'
import { api, bodyOf, type Got } from './client'
import { listQuery } from './page'

export type OccurrenceChange = Got<'/api/v1/scans/{id}/changes'>['items'][number]
export type Comparison = Got<'/api/v1/scans/compare'>
export type Difference = Comparison['items'][number]
export type Change = OccurrenceChange['change']

export const changes: Change[] = ['opened', 'resolved', 'unchanged']

/** What a complete scan did to its node's occurrences. It does not change any more: it is asked for once. */
export const changesQuery = (scan: string, change: Change | undefined) =>
  listQuery<OccurrenceChange>({
    key: ['changes', scan, change],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/scans/{id}/changes', { params: { path: { id: scan }, query: { change, limit: 200, cursor } }, signal })),
    refetchEvery: () => false,
  })

/** Two complete scans, the earlier first: how many findings each has alone, and both. */
export const comparisonQuery = (from: string, to: string) =>
  queryOptions({
    queryKey: ['comparison', from, to],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/scans/compare', { params: { query: { from, to, limit: 1 } }, signal })),
    staleTime: Infinity,
  })

export const differencesQuery = (from: string, to: string, change: Change | undefined) =>
  listQuery<Difference>({
    key: ['comparison', from, to, 'differences', change],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/scans/compare', { params: { query: { from, to, change, limit: 200, cursor } }, signal })),
    refetchEvery: () => false,
  })
