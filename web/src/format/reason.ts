import { day } from './time'

const reasons: Record<string, string | undefined> = {
  first_scan: 'there at the first scan',
  installed: 'a package was installed',
  disclosed: 'newly disclosed',
  upgraded: 'the package was upgraded',
  removed: 'the package was removed',
  corrected: 'the advisory was corrected',
  withdrawn: 'the advisory was withdrawn',
  retired: 'the node was retired',
}

/** Why an occurrence was opened or resolved; what a newer console says and this page does not know speaks for itself. */
export function reasonText(because: string): string {
  return reasons[because] ?? because
}

/** Why an occurrence was opened. Of what was disclosed it tells since when the package was there, unless that was upgraded after. */
export function openedText({ because, opened_at: opened, deployed_at: deployed }: { because: string; opened_at: string; deployed_at: string | null }): string {
  if (because !== 'disclosed' || deployed === null || Date.parse(deployed) > Date.parse(opened)) return reasonText(because)
  return `newly disclosed in a package deployed on ${day(deployed)}`
}
