import type { Change, Definition, Schedule, Window } from '../api/schedules'

/** A schedule as its form holds it: in the words of the API, but what may be absent is an empty text. */
export interface Draft {
  name: string
  cron: string
  time_zone: string
  selector: string
  enabled: boolean
  overlap: Definition['overlap']
  catch_up_window: string
  run_timeout: string
  spread: string
  max_concurrent: string
  retries: string
  label: string
  most_per_label: string
  maintenance_windows: WindowDraft[]
  starts_at: string
  ends_at: string
}

/** A window without a zone of its own is in the schedule's. */
export type WindowDraft = Required<Window>

/** A schedule before anybody has said anything: daily at three, every node. */
export const newDraft = (zone: string): Draft => ({
  name: '',
  cron: '0 3 * * *',
  time_zone: zone,
  selector: 'true',
  enabled: true,
  overlap: 'allow',
  catch_up_window: '168h',
  run_timeout: '24h',
  spread: '',
  max_concurrent: '',
  retries: '2',
  label: '',
  most_per_label: '',
  maintenance_windows: [],
  starts_at: '',
  ends_at: '',
})

/** A window to begin with: the hours of work. */
export const newWindow: WindowDraft = { cron: '0 8 * * 1-5', duration: '10h', time_zone: '' }

/** A schedule as its form shows it before anything is changed. */
export function draftOf(schedule: Schedule): Draft {
  const standard = newDraft(schedule.time_zone)
  return {
    name: schedule.name,
    cron: schedule.cron,
    time_zone: schedule.time_zone,
    selector: schedule.selector,
    enabled: schedule.enabled,
    overlap: schedule.overlap,
    catch_up_window: schedule.catch_up_window,
    run_timeout: schedule.run_timeout,
    spread: schedule.spread ?? '',
    max_concurrent: schedule.max_concurrent?.toString() ?? '',
    retries: schedule.retries?.toString() ?? standard.retries,
    label: schedule.per_label?.key ?? '',
    most_per_label: schedule.per_label?.max.toString() ?? '',
    maintenance_windows: (schedule.maintenance_windows ?? []).map((window) => ({ ...window, time_zone: window.time_zone ?? '' })),
    starts_at: inUTC(schedule.starts_at),
    ends_at: inUTC(schedule.ends_at),
  }
}

/** What a form says, in the API's terms. It is the console that judges it: half a limit is sent to be refused. */
export function definitionOf(draft: Draft): Definition {
  return {
    name: draft.name,
    cron: draft.cron,
    time_zone: draft.time_zone,
    selector: draft.selector,
    enabled: draft.enabled,
    overlap: draft.overlap,
    catch_up_window: draft.catch_up_window,
    run_timeout: draft.run_timeout,
    spread: draft.spread || undefined,
    max_concurrent: numberIn(draft.max_concurrent),
    retries: numberIn(draft.retries),
    per_label: draft.label === '' && draft.most_per_label === '' ? undefined : { key: draft.label, max: Number(draft.most_per_label) },
    maintenance_windows: draft.maintenance_windows.map(({ cron, duration, time_zone: zone }) => ({ cron, duration, time_zone: zone || undefined })),
    starts_at: draft.starts_at || undefined,
    ends_at: draft.ends_at || undefined,
  }
}

/** What an edit changed, and nothing else: what somebody else has changed meanwhile stays. */
export function changeOf(before: Draft, after: Draft): Change {
  const was = definitionOf(before)
  const is = definitionOf(after)
  // What a change leaves out stays: none of a number or a length has to be said.
  const said: Change = { ...is, spread: is.spread ?? '', max_concurrent: is.max_concurrent ?? 0 }
  const changed = (Object.keys(is) as (keyof Definition)[]).filter((field) => JSON.stringify(is[field]) !== JSON.stringify(was[field]))
  const clear = clearable.filter((field) => changed.includes(field) && is[field] === undefined)
  const change: Change = Object.fromEntries(changed.map((field) => [field, said[field]]))
  return clear.length === 0 ? change : { ...change, clear }
}

const clearable = ['per_label', 'starts_at', 'ends_at'] as const

/** What every schedule says. */
const plain: (keyof Draft)[] = ['name', 'cron', 'time_zone', 'selector', 'enabled']

/** Whether a form says something besides that most schedules do not. */
export function isAdvanced(draft: Draft): boolean {
  const standard = newDraft(draft.time_zone)
  return (Object.keys(standard) as (keyof Draft)[]).some((field) => !plain.includes(field) && JSON.stringify(draft[field]) !== JSON.stringify(standard[field]))
}

/** A moment as momentOf writes it, so that a date that is set back counts as unchanged. */
function inUTC(moment: string | undefined): string {
  return moment === undefined ? '' : new Date(moment).toISOString()
}

function numberIn(text: string): number | undefined {
  return text === '' ? undefined : Number(text)
}
