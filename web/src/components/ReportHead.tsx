import { Skeleton } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { trendQuery, type Trend } from '../api/report'
import { countsLine, severities, totalOf } from '../format/severity'
import { days } from '../format/time'
import { SeverityWord } from './Named'
import { ProblemAlert } from './ProblemAlert'
import classes from './ReportHead.module.css'
import { SeverityBadge } from './Severity'
import { TextLink } from './TextLink'
import { TrendChart } from './TrendChart'

/** How it goes on: what is past its due date, how long it took to fix, and what was open day by day. */
export function ReportHead() {
  const trend = useQuery(trendQuery)
  if (trend.isError && trend.data === undefined) return <ProblemAlert error={trend.error} onRetry={() => void trend.refetch()} />
  if (trend.data === undefined) return <Skeleton height={150} mb="md" />
  return (
    <div className={classes.head}>
      <Panel title="Overdue">
        <Overdue trend={trend.data} />
      </Panel>
      <Panel title="Time to fix, last 90 days">
        <TimeToFix fixed={trend.data.time_to_fix} />
      </Panel>
      <Panel title="Open, last 90 days">
        <TrendChart days={trend.data.days} />
      </Panel>
    </div>
  )
}

function Panel({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={classes.panel} aria-label={title}>
      <h2 className={classes.title}>{title}</h2>
      {children}
    </section>
  )
}

function Overdue({ trend: { overdue, open } }: { trend: Trend }) {
  const total = totalOf(overdue)
  return (
    <>
      <p className={classes.figure}>
        {total === 0 ? 0 : <TextLink to="/overdue">{total.toLocaleString('en')}</TextLink>}
      </p>
      {total === 0 ? (
        <p className={classes.note}>{totalOf(open) === 0 ? 'Nothing is open.' : `Nothing of what is open (${countsLine(open)}) is past its due date.`}</p>
      ) : (
        <ul className={classes.rows}>
          {severities
            .filter((severity) => overdue[severity] > 0)
            .map((severity) => (
              <li key={severity}>
                <SeverityBadge severity={severity} />
                <TextLink to="/overdue" search={{ severity }}>
                  {overdue[severity].toLocaleString('en')} of {open[severity].toLocaleString('en')} open
                </TextLink>
              </li>
            ))}
        </ul>
      )}
    </>
  )
}

/** Of what an upgrade or a removal resolved; what was withdrawn or corrected nobody fixed. */
function TimeToFix({ fixed }: { fixed: Trend['time_to_fix'] }) {
  if (fixed.length === 0) return <p className={classes.note}>Nothing was upgraded or removed that had a vulnerability.</p>
  const count = fixed.reduce((sum, each) => sum + each.fixed, 0)
  const mean = fixed.reduce((sum, each) => sum + each.mean_days * each.fixed, 0) / count
  return (
    <>
      <p className={classes.figure}>
        {days(mean)} <small>mean of {count.toLocaleString('en')}</small>
      </p>
      <ul className={classes.rows}>
        {fixed.map(({ severity, fixed: number, mean_days: each, median_days: median }) => (
          <li key={severity}>
            <SeverityWord severity={severity} />
            <span>
              {days(each)}, median {days(median)} ({number.toLocaleString('en')})
            </span>
          </li>
        ))}
      </ul>
    </>
  )
}
