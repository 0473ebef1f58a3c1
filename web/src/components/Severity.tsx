import { severities, severityNames, type Counts, type Severity } from '../format/severity'
import type { Column } from './ListTable'
import classes from './meaning.module.css'

const shortNames: Record<Severity, string> = {
  malicious: 'Mal.',
  critical: 'Crit.',
  high: 'High',
  medium: 'Med.',
  low: 'Low',
  unknown: 'Unkn.',
}

export function SeverityBadge({ severity }: { severity: Severity }) {
  return (
    <span className={classes.badge} data-severity={severity}>
      {severityNames[severity]}
    </span>
  )
}

/** One narrow column a severity, so that counts line up down the table and can be compared by eye. */
export function severityColumns<T>(countsOf: (row: T) => Counts | null): Column<T>[] {
  return severities.map((severity) => ({
    key: severity,
    header: (
      <abbr title={`${severityNames[severity]} findings`} style={{ textDecoration: 'none' }}>
        {shortNames[severity]}
      </abbr>
    ),
    numeric: true,
    width: 44,
    cell: (row) => {
      const count = countsOf(row)?.[severity]
      return (
        <span className={count ? classes.count : classes.zero} data-severity={severity}>
          {count ?? '–'}
        </span>
      )
    },
  }))
}
