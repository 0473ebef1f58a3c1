import type { Node } from '../api/nodes'

/** The distribution as it names itself, else by its id and version; containers and images may have none. */
export function distributionName({ name, id, version }: Node['distribution']): string {
  const parts = name ? [name] : [id, version]
  return parts.filter(Boolean).join(' ') || '–'
}
