import { infiniteQueryOptions, keepPreviousData, type QueryKey } from '@tanstack/react-query'

/** One page of a list; next is the cursor of the page after it, empty on the last. */
export interface Page<T> {
  items: T[]
  next: string
}

interface ListQuery<T> {
  key: QueryKey
  fetchPage: (cursor: string | undefined, signal: AbortSignal) => Promise<Page<T>>
  /** Milliseconds until the loaded pages are asked for again; false asks once. */
  refetchEvery: (items: T[]) => number | false
  enabled?: boolean
}

/** A list that is read page by page. A changed filter shows the old rows until the new ones are there. */
export function listQuery<T>({ key, fetchPage, refetchEvery, enabled = true }: ListQuery<T>) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => fetchPage(pageParam || undefined, signal),
    initialPageParam: '',
    getNextPageParam: (page: Page<T>) => page.next || undefined,
    refetchInterval: (query) => refetchEvery(query.state.data?.pages.flatMap((page) => page.items) ?? []),
    placeholderData: keepPreviousData,
    enabled,
  })
}
