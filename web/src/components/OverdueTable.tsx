import { Text } from '@mantine/core'
import { IconCalendarCheck } from '@tabler/icons-react'
import { useInfiniteQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { overdueQuery, type Occurrence, type OverdueFilter } from '../api/occurrences'
import { openedText } from '../format/reason'
import { day, lastDayBy } from '../format/time'
import { isNarrowed } from '../search'
import { EmptyNote } from './EmptyNote'
import { ListTable, type Column } from './ListTable'
import { PackageName, SeverityWord } from './Named'
import { NodeAndKind } from './NodeLink'
import { TextLink } from './TextLink'
import { None, RelativeTime } from './Time'

const columns: Column<Occurrence>[] = [
  { key: 'due', header: 'Due', width: 116, cell: ({ due_at: due }) => <Due moment={due} /> },
  { key: 'severity', header: 'Severity', width: 96, cell: ({ severity }) => <SeverityWord severity={severity} /> },
  { key: 'vulnerability', header: 'Vulnerability', width: '19%', cell: (row) => <Vulnerability row={row} /> },
  { key: 'package', header: 'Package', width: '17%', cell: (row) => <PackageName name={row.package} ecosystem={row.ecosystem} /> },
  { key: 'node', header: 'Node', width: '18%', cell: ({ node }) => <NodeAndKind node={node} /> },
  { key: 'deployed', header: 'Deployed since', width: 116, cell: ({ deployed_at: deployed }) => <Deployed moment={deployed} /> },
  { key: 'opened', header: 'Open since', cell: (row) => <Dated date={day(row.opened_at)}>{openedText({ ...row, because: row.opened_because })}</Dated> },
]

/** What is past its due date, of the whole fleet or as far as the filter goes. */
export function OverdueTable({ filter }: { filter: OverdueFilter }) {
  const list = useInfiniteQuery(overdueQuery(filter))
  return <ListTable name="Overdue" list={list} columns={columns} rowKey={(row) => row.id} empty={<NothingOverdue narrowed={isNarrowed(filter)} />} />
}

interface DatedProps {
  date: string
  children: ReactNode
}

/** A day, and beneath it what there is to say of it. */
function Dated({ date, children }: DatedProps) {
  return (
    <>
      <span className="unbroken">{date}</span>
      <Text fz="xs" c="dimmed">
        {children}
      </Text>
    </>
  )
}

/** The day by whose end it was due, and how long ago that is. */
function Due({ moment }: { moment: string | undefined }) {
  if (moment === undefined) return <None />
  return (
    <Dated date={lastDayBy(moment)}>
      <RelativeTime moment={moment} />
    </Dated>
  )
}

function Deployed({ moment }: { moment: string | null }) {
  if (moment === null) return <None />
  return (
    <Dated date={day(moment)}>
      <RelativeTime moment={moment} />
    </Dated>
  )
}

/** Its name leads to all nodes on which the same is overdue. */
function Vulnerability({ row: { vulnerability, kev, fixable } }: { row: Occurrence }) {
  return (
    <>
      <TextLink to="/overdue" search={{ vulnerability }} fw={600} className="breakable">
        {vulnerability}
      </TextLink>
      <Text fz="xs" c="dimmed">
        {kev && <div>known to be exploited</div>}
        {fixable ? 'a fix is known' : 'no fix is known'}
      </Text>
    </>
  )
}

function NothingOverdue({ narrowed }: { narrowed: boolean }) {
  return narrowed ? (
    <EmptyNote icon={IconCalendarCheck} title="Nothing overdue matches">
      Clear a filter to see the rest.
    </EmptyNote>
  ) : (
    <EmptyNote icon={IconCalendarCheck} title="Nothing is overdue">
      What is found on a node appears here once its due date has passed.
    </EmptyNote>
  )
}
