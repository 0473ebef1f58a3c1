/** Brings what has just come into sight, as a ref: in a narrow window a form is longer than that. */
export function bringIntoSight(element: HTMLElement | null): void {
  element?.scrollIntoView({ block: 'nearest' })
}
