import type { Trend } from '../api/report'
import { chartOf, chartHeight, chartWidth } from '../format/chart'
import { countsLine, severities, severityNames } from '../format/severity'
import classes from './TrendChart.module.css'

/** What was open at the end of each day, the worst at the bottom; the words below say what the shapes mean. */
export function TrendChart({ days }: { days: Trend['days'] }) {
  const first = days[0]
  const last = days.at(-1)
  const chart = chartOf(days.map((day) => day.open))
  if (first === undefined || last === undefined || chart.most === 0) return <p className={classes.none}>Nothing was open on any of these days.</p>
  return (
    <>
      <svg
        className={classes.chart}
        viewBox={`0 0 ${chartWidth} ${chartHeight}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Open on ${first.day}: ${countsLine(first.open)}. On ${last.day}: ${countsLine(last.open)}.`}
      >
        {chart.bands.map(({ severity, points }) => (
          <polygon key={severity} className={classes.band} data-severity={severity} points={points} />
        ))}
        {days.map((day, index) => (
          <rect key={day.day} className={classes.day} x={(index * chartWidth) / days.length} y={0} width={chartWidth / days.length} height={chartHeight}>
            <title>{`${day.day}: ${countsLine(day.open)} open; ${countsLine(day.opened)} opened; ${countsLine(day.resolved)} resolved`}</title>
          </rect>
        ))}
      </svg>
      <div className={classes.axis} aria-hidden>
        <span>{first.day}</span>
        <span>most {chart.most.toLocaleString('en')}</span>
        <span>{last.day}</span>
      </div>
      <ul className={classes.legend}>
        {severities
          .filter((severity) => last.open[severity] > 0)
          .map((severity) => (
            <li key={severity} data-severity={severity}>
              {severityNames[severity]} {last.open[severity].toLocaleString('en')}
            </li>
          ))}
      </ul>
    </>
  )
}
