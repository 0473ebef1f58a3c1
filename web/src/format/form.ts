/** The text that stands in a form's field; a field that is missing, or holds a file, has none. */
export function textOf(fields: FormData, name: string): string {
  const value = fields.get(name)
  return typeof value === 'string' ? value : ''
}
