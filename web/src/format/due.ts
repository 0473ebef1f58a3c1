import type { Trend } from '../api/report'
import { severities } from './severity'

/** Within how many days something is to be resolved: "critical 7 days, high 30 days, listed in CISA’s KEV 14 days". */
export function dueLine(due: Trend['due']): string {
  const terms = [...severities.map((severity) => [severity, due[`${severity}_days`]] as const), ['listed in CISA’s KEV', due.kev_days] as const]
  const parts = terms.filter(([, days]) => days > 0).map(([what, days]) => `${what} ${days === 1 ? '1 day' : `${days.toLocaleString('en')} days`}`)
  return parts.join(', ') || 'nothing has a due date'
}
