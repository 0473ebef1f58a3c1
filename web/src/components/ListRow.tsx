import { ActionIcon, Table } from '@mantine/core'
import { IconChevronDown, IconChevronRight } from '@tabler/icons-react'
import { useId, useState, type ReactNode } from 'react'
import type { Column } from './ListTable'
import classes from './ListTable.module.css'

interface ListRowProps<T> {
  row: T
  columns: Column<T>[]
  detail?: (row: T) => ReactNode
}

export function ListRow<T>({ row, columns, detail }: ListRowProps<T>) {
  const [open, setOpen] = useState(false)
  const detailId = useId()
  const Chevron = open ? IconChevronDown : IconChevronRight
  return (
    <>
      <Table.Tr>
        {detail && (
          <Table.Td pr={0}>
            <ActionIcon
              variant="subtle"
              color="gray"
              size={20}
              aria-label={open ? 'Hide details' : 'Show details'}
              aria-expanded={open}
              aria-controls={open ? detailId : undefined}
              onClick={() => {
                setOpen(!open)
              }}
            >
              <Chevron size={14} aria-hidden />
            </ActionIcon>
          </Table.Td>
        )}
        {columns.map((column) => (
          <Table.Td key={column.key} className={column.numeric ? classes.numeric : undefined}>
            {column.cell(row)}
          </Table.Td>
        ))}
      </Table.Tr>
      {detail && open && (
        <Table.Tr id={detailId} className={classes.detail}>
          <Table.Td />
          <Table.Td colSpan={columns.length}>{detail(row)}</Table.Td>
        </Table.Tr>
      )}
    </>
  )
}
