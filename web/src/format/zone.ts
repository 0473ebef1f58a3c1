/** Readings are what a zone's clocks show, as browsers' fields for date and time write it: "2026-03-12T08:15". */

/** What the clocks of a zone show at a moment; with seconds if there are any. What is no moment is handed on as it is. */
export function readingAt(moment: string, zone: string): string {
  const time = Date.parse(moment)
  if (Number.isNaN(time)) return moment
  const reading = secondsShown(time, zone)
  return reading.endsWith(':00') ? reading.slice(0, -':00'.length) : reading
}

/**
 * The moment at which the clocks of a zone show a reading: the first of an hour that they repeat; in one that they skip,
 * as if they had not been changed yet. A reading that is none is handed on as it is, for the console to refuse.
 */
export function momentOf(reading: string, zone: string): string {
  const asUTC = Date.parse(`${reading}Z`)
  if (Number.isNaN(asUTC)) return reading
  // No zone is a day away from UTC: a clock change near the reading lies between the two offsets.
  const before = asUTC - offsetAt(asUTC - day, zone)
  const after = asUTC - offsetAt(asUTC + day, zone)
  const isRead = (time: number) => time + offsetAt(time, zone) === asUTC
  return new Date(isRead(after) && !isRead(before) ? after : before).toISOString()
}

/** In milliseconds. */
const day = 24 * 60 * 60 * 1000

/** Milliseconds by which the clocks of a zone are ahead of UTC. */
function offsetAt(time: number, zone: string): number {
  const shown = Date.parse(`${secondsShown(time, zone)}Z`)
  return Number.isNaN(shown) ? 0 : shown - Math.floor(time / 1000) * 1000
}

function secondsShown(time: number, zone: string): string {
  const parts = Object.fromEntries(clockOf(zone).formatToParts(time).map(({ type, value }) => [type, value]))
  return `${(parts.year ?? '').padStart(4, '0')}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`
}

/** The clocks of a zone; those of UTC where the browser lacks it, which may be while its name is written. */
function clockOf(timeZone: string): Intl.DateTimeFormat {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  }
  try {
    return new Intl.DateTimeFormat('en', { ...options, timeZone })
  } catch {
    return new Intl.DateTimeFormat('en', { ...options, timeZone: 'UTC' })
  }
}
