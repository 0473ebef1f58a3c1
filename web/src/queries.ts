import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { isUnauthorised, problemOf } from './api/problem'
import { sessionQuery } from './api/session'
import type { NoticeBoard } from './notices'

declare module '@tanstack/react-query' {
  interface Register {
    /** shownInPlace: the form itself shows the problem, so that no notice is needed. */
    mutationMeta: { shownInPlace?: boolean }
  }
}

/**
 * The query client with the rules that hold for every request: a session that has ended leads to the sign-in page, a
 * refused action is said in a notice, and only what may pass by itself (no answer, or a server error) is tried again.
 */
export function createQueryClient(notices: NoticeBoard, onSessionEnd: () => void): QueryClient {
  const endSession = () => {
    queries.removeQueries({ queryKey: sessionQuery.queryKey })
    onSessionEnd()
  }
  const queries = new QueryClient({
    queryCache: new QueryCache({
      onError: (error, query) => {
        if (isUnauthorised(error) && query.queryKey[0] !== sessionQuery.queryKey[0]) endSession()
      },
    }),
    mutationCache: new MutationCache({
      onError: (error, _variables, _result, mutation) => {
        if (mutation.meta?.shownInPlace) return
        if (isUnauthorised(error)) {
          endSession()
          return
        }
        const problem = problemOf(error)
        notices.show({ kind: 'failed', title: problem.title, text: problem.message })
      },
    }),
    defaultOptions: {
      queries: { staleTime: 1_000, retry: (failures, error) => failures < 2 && mayPass(error) },
    },
  })
  return queries
}

function mayPass(error: unknown): boolean {
  const { status } = problemOf(error)
  return status === 0 || status >= 500
}
