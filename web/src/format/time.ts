const steps: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['year', 365 * 86_400],
  ['month', 30 * 86_400],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

const long = new Intl.RelativeTimeFormat('en', { style: 'long' })
const short = new Intl.RelativeTimeFormat('en', { style: 'short' })

/** A moment as seen from now (milliseconds since the epoch), short enough for a table: "3 hr ago", "in 5 min". */
export function relativeTime(moment: string, now: number): string {
  return relativeWith(short, moment, now).replace('.', '')
}

/** How old something is, in full words: "8 months", "less than a minute". */
export function age(moment: string, now: number): string {
  const words = relativeWith(long, moment, now)
  return words.endsWith(' ago') ? words.slice(0, -' ago'.length) : 'less than a minute'
}

function relativeWith(format: Intl.RelativeTimeFormat, moment: string, now: number): string {
  const seconds = (Date.parse(moment) - now) / 1000
  for (const [unit, length] of steps) {
    if (Math.abs(seconds) >= length) return format.format(Math.trunc(seconds / length), unit)
  }
  return seconds > 5 ? 'in under 1 min' : 'just now'
}

/** A moment to the second, in UTC as the API and the logs write it: "2026-03-12 07:15:00 UTC". */
export function exactTime(moment: string): string {
  return new Date(moment).toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
}

/** The same moment in a time zone, by default the browser's: "12 Mar 2026, 08:15:00 CET". */
export function localTime(moment: string, timeZone?: string): string {
  return new Intl.DateTimeFormat('en-GB', {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
    timeZone,
  }).format(new Date(moment))
}

/** A moment to the minute in a time zone, with its weekday: "Thu, 12 Mar 2026, 08:15"; in UTC where the browser lacks the zone. */
export function zonedTime(moment: string, timeZone: string): string {
  const options: Intl.DateTimeFormatOptions = { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' }
  try {
    return new Intl.DateTimeFormat('en-GB', { ...options, timeZone }).format(new Date(moment))
  } catch {
    return exactTime(moment)
  }
}

/** A length of time as the API writes it, for people: "1h30m0s" is "1 h 30 min", "168h" is "7 days"; any other as it is. */
export function spanText(written: string): string {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(written)
  if (match === null) return written
  const count = (group: number) => Number(match[group] ?? 0)
  const [hours, minutes, seconds] = [count(1), count(2), count(3)]
  if (hours >= 48 && hours % 24 === 0 && minutes + seconds === 0) return `${hours / 24} days`
  const parts = [hours > 0 && `${hours} h`, minutes > 0 && `${minutes} min`, seconds > 0 && `${seconds} s`]
  return parts.filter((part) => part !== false).join(' ') || written
}

/** The last day, in UTC, that ends by a moment: "2026-03-12" by midnight, as due dates are. */
export function lastDayBy(moment: string): string {
  return day(new Date(Date.parse(moment) - 1).toISOString())
}

/** The day of a moment in UTC: "2026-03-12". */
export function day(moment: string): string {
  return new Date(moment).toISOString().slice(0, 10)
}

/** The day after a day: "2026-03-13" after "2026-03-12". */
export function dayAfter(date: string): string {
  return day(new Date(Date.parse(date) + 86_400_000).toISOString())
}

/** A length of time in its two largest units: "0.4 s", "12 s", "3 min 5 s", "1 h 2 min". */
export function duration(milliseconds: number): string {
  if (milliseconds < 0) return '0 s'
  if (milliseconds < 10_000) return `${(Math.floor(milliseconds / 100) / 10).toFixed(1)} s`
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A number of days for people: "under 1 h", "30 h", "3.5 days", "42 days". */
export function days(number: number): string {
  if (number * 24 < 1) return 'under 1 h'
  if (number < 2) return `${Math.round(number * 24)} h`
  return `${number < 10 ? Math.round(number * 10) / 10 : Math.round(number)} days`
}
