import type { Definition } from '../api/schedules'

type Overlap = Definition['overlap']

export const overlaps: Overlap[] = ['allow', 'skip', 'buffer_one']

/** What becomes of a fire time while the run before goes on. */
export const overlapNames: Record<Overlap, string> = { allow: 'start all the same', skip: 'skip the fire time', buffer_one: 'start once it has ended' }
