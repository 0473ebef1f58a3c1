import { severities, totalOf, type Counts, type Severity } from './severity'

/** The chart's own units; the page stretches them to what room there is. */
export const chartWidth = 300
export const chartHeight = 64

export interface Band {
  severity: Severity
  /** As an SVG polygon takes them. */
  points: string
}

/** Counts, day after day, as bands that lie on each other, the worst at the bottom. The height is the most of any day. */
export function chartOf(days: Counts[]): { most: number; bands: Band[] } {
  const most = Math.max(0, ...days.map(totalOf))
  if (most === 0) return { most, bands: [] }
  const x = (index: number) => round((index * chartWidth) / Math.max(1, days.length - 1))
  const y = (count: number) => round(chartHeight * (1 - count / most))
  // One day alone is drawn as wide as two.
  const drawn = days.length === 1 ? [...days, ...days] : days
  let floor = drawn.map(() => 0)
  const bands = severities.flatMap((severity) => {
    const lower = floor
    floor = lower.map((under, index) => under + (drawn[index]?.[severity] ?? 0))
    if (drawn.every((counts) => counts[severity] === 0)) return []
    const above = floor.map((count, index) => `${x(index)},${y(count)}`)
    const below = lower.map((count, index) => `${x(index)},${y(count)}`).reverse()
    return [{ severity, points: [...above, ...below].join(' ') }]
  })
  return { most, bands }
}

function round(length: number): number {
  return Math.round(length * 100) / 100
}
