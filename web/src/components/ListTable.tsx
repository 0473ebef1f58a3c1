import { Button, Skeleton, Table, VisuallyHidden } from '@mantine/core'
import type { InfiniteData, UseInfiniteQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import type { Page } from '../api/page'
import classes from './ListTable.module.css'
import { ListRow } from './ListRow'
import { ProblemAlert } from './ProblemAlert'

export interface Column<T> {
  key: string
  header: ReactNode
  cell: (row: T) => ReactNode
  width?: number | string
  numeric?: boolean
}

export type ListResult<T> = UseInfiniteQueryResult<InfiniteData<Page<T>>>

interface ListTableProps<T> {
  /** What the rows are, in the plural: names the table for those who cannot see it. */
  name: string
  list: ListResult<T>
  columns: Column<T>[]
  rowKey: (row: T) => string | number
  /** What to say, and what to do next, when there is no row. */
  empty: ReactNode
  /** Leaves out rows that are loaded; the console is not asked again. */
  filter?: (row: T) => boolean
  /** What a row shows when it is opened. */
  detail?: (row: T) => ReactNode
}

/** A list of the API as a table: loading, empty, failed, and page after page. */
export function ListTable<T>({ name, list, columns, rowKey, empty, filter, detail }: ListTableProps<T>) {
  const loaded = list.data?.pages.flatMap((page) => page.items) ?? []
  const rows = filter ? loaded.filter(filter) : loaded
  if (list.isError && loaded.length === 0) return <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />
  if (list.isSuccess && rows.length === 0 && !list.hasNextPage) return <>{empty}</>
  return (
    <>
      {list.isError && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <div className={classes.frame}>
        <Table className={classes.table} aria-label={name} aria-busy={list.isFetching} stickyHeader stickyHeaderOffset={48} highlightOnHover highlightOnHoverColor="var(--row-hover)">
          <Table.Thead className={classes.head}>
            <Table.Tr>
              {detail && (
                <Table.Th scope="col" w={32}>
                  <VisuallyHidden>Details</VisuallyHidden>
                </Table.Th>
              )}
              {columns.map((column) => (
                <Table.Th key={column.key} scope="col" w={column.width} className={column.numeric ? classes.numeric : undefined}>
                  {column.header}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {list.isPending && <LoadingRows span={columns.length + (detail ? 1 : 0)} />}
            {rows.map((row) => (
              <ListRow key={rowKey(row)} row={row} columns={columns} detail={detail} />
            ))}
          </Table.Tbody>
        </Table>
        {!list.isPending && (
          <div className={classes.foot}>
            <span role="status">{summaryOf(rows.length, loaded.length, list.hasNextPage)}</span>
            {list.hasNextPage && (
              <Button variant="default" size="compact-xs" loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
                Load more
              </Button>
            )}
          </div>
        )}
      </div>
    </>
  )
}

function summaryOf(shown: number, loaded: number, more: boolean): string {
  const total = more ? `the first ${loaded.toLocaleString('en')}` : loaded.toLocaleString('en')
  return shown === loaded ? (more ? `Showing ${total}` : `${total} in all`) : `${shown.toLocaleString('en')} of ${total} shown`
}

function LoadingRows({ span }: { span: number }) {
  return ['first', 'second', 'third', 'fourth'].map((row) => (
    <Table.Tr key={row}>
      <Table.Td colSpan={span}>
        <Skeleton height={18} />
      </Table.Td>
    </Table.Tr>
  ))
}
