import { queryOptions } from '@tanstack/react-query'
import { dayAfter } from '../format/time'
import { api, bodyOf, type Asked, type Got } from './client'
import { listQuery } from './page'
import { idlePoll, isUnfinished, livePoll } from './scans'

export type ReportEntry = Got<'/api/v1/reports/vulnerability-scans'>['items'][number]
export type Trend = Got<'/api/v1/reports/trend'>

/** What the console is asked for, but that from and to are days in UTC, both included: "2026-05-01". */
export type ReportFilter = Omit<Asked<'/api/v1/reports/vulnerability-scans'>, 'limit' | 'cursor'>

type Value<Name extends keyof ReportFilter> = NonNullable<ReportFilter[Name]>

export const reportKinds: Value<'kind'>[] = ['scan', 'rematch']
export const reportStates: Value<'state'>[] = ['queued', 'collecting', 'matching', 'running', 'complete', 'failed', 'cancelled']
export const reportTriggers: Value<'trigger'>[] = ['schedule', 'on_demand', 'arrival', 'change', 'upload', 'registry', 'feed', 'engine']

/** The filter as the API takes it: moments, the second of which is not included. */
export function asked({ from, to, ...rest }: ReportFilter): ReportFilter {
  return { ...rest, from: from && `${from}T00:00:00Z`, to: to && `${dayAfter(to)}T00:00:00Z` }
}

/** The Vulnerability Scans report: scans and re-matches, newest first. */
export const reportQuery = (filter: ReportFilter) =>
  listQuery<ReportEntry>({
    key: ['scans', 'report', filter],
    fetchPage: (cursor, signal) =>
      bodyOf(api.GET('/api/v1/reports/vulnerability-scans', { params: { query: { ...asked(filter), limit: 50, cursor } }, signal })),
    refetchEvery: (entries) => (entries.some((entry) => isUnfinished(entry.state)) ? livePoll : idlePoll),
  })

/** The last 90 days, what is overdue, and how long it took to fix. */
export const trendQuery = queryOptions({
  queryKey: ['trend'],
  queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/reports/trend', { signal })),
  refetchInterval: 60_000,
})
