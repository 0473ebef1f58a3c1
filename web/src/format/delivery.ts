import type { DeliveryState } from '../api/deliveries'

export const deliveryStateNames: Record<DeliveryState, string> = {
  pending: 'waiting',
  delivered: 'delivered',
  dead: 'given up',
  superseded: 'superseded',
}

/** What a state means, where that is not plain. */
export const deliveryStateNotes: Partial<Record<DeliveryState, string>> = {
  dead: 'it is not tried again, unless somebody sends it again',
  superseded: 'something newer of the same was sent instead',
}

/** How often it was tried: "not tried yet", "1 attempt", "3 attempts". */
export function attemptsText(attempts: number): string {
  if (attempts === 0) return 'not tried yet'
  return attempts === 1 ? '1 attempt' : `${attempts.toLocaleString('en')} attempts`
}

/** How long the far side took, which is mostly less than a second: "35 ms", "2.4 s". */
export function tookText(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`
}
