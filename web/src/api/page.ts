import { infiniteQueryOptions, keepPreviousData, type QueryKey } from '@tanstack/react-query'

/** One page of a list; next is the cursor of the page after it, empty on the last. */
export interface Page<T> {
  items: T[]
  next: string
}

/** A list from its first page to its last, for what is short and needed whole. */
export async function allPages<T>(fetchPage: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const all: T[] = []
  let cursor: string | undefined
  do {
    const page: Page<T> = await fetchPage(cursor)
    all.push(...page.items)
    cursor = page.next || undefined
  } while (cursor !== undefined)
  return all
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
