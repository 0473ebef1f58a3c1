import { api, bodyOf, type Asked, type Got } from './client'
import { listQuery } from './page'

export type Occurrence = Got<'/api/v1/occurrences'>['items'][number]

type OccurrenceQuery = Asked<'/api/v1/occurrences'>

/** Which of what is overdue: kev what CISA lists as exploited alone, fixable what has a fix alone. */
export interface OverdueFilter extends Pick<OccurrenceQuery, 'severity' | 'node' | 'vulnerability' | 'package'> {
  kev?: true
  fixable?: true
}

/** What is open past its due date, newest first. */
export const overdueQuery = ({ kev, fixable, ...filter }: OverdueFilter) =>
  listQuery<Occurrence>({
    key: ['occurrences', 'overdue', filter, kev, fixable],
    fetchPage: (cursor, signal) =>
      bodyOf(
        api.GET('/api/v1/occurrences', {
          params: { query: { ...filter, kev: kev && 'true', fixable: fixable && 'true', overdue: 'true', limit: 100, cursor } },
          signal,
        }),
      ),
    refetchEvery: () => 60_000,
  })
