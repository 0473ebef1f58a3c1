import { api, bodyOf, type Got } from './client'
import { listQuery } from './page'

export type Finding = Got<'/api/v1/findings'>['items'][number]

export interface FindingFilter {
  scan: string
  severity?: Finding['severity']
}

/** The findings of a complete scan, worst first. They never change: they are asked for once. */
export const findingsQuery = (filter: FindingFilter, enabled: boolean) =>
  listQuery<Finding>({
    key: ['findings', filter],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/findings', { params: { query: { ...filter, limit: 200, cursor } }, signal })),
    refetchEvery: () => false,
    enabled,
  })
