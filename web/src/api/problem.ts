/** One field that the console refused, as RFC 9457 extensions carry it. */
interface ProblemField {
  message: string
  location: string
}

/** An answer that is not a success: the console's RFC 9457 problem, or what stands for it when there is none. */
export class Problem extends Error {
  readonly status: number
  readonly title: string
  readonly fields: ProblemField[]

  constructor(status: number, title: string, detail: string, fields: ProblemField[] = []) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.title = title
    this.fields = fields
  }
}

/** Reads the problem of a failed response. A proxy in between may answer with HTML: then the status speaks. */
export async function problemOfResponse(response: Response): Promise<Problem> {
  const body = await readJSON(response)
  const title = text(body.title) || response.statusText || 'The request failed'
  const detail = text(body.detail) || `The console answered ${response.status} without saying why.`
  return new Problem(response.status, title, detail, fieldsOf(body.errors))
}

/** Gives any thrown value the shape of a problem; a request that got no answer has status 0. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (error instanceof TypeError && /fetch|network|load failed/i.test(error.message)) {
    return new Problem(0, 'The console does not answer', 'Check that it runs and that this machine can reach it, then try again.')
  }
  return new Problem(0, 'This page failed', error instanceof Error ? error.message : String(error))
}

/** What the console said about one field of a body, to stand beneath it: "name", or "maintenance_windows[0].cron". */
export function fieldProblem(error: unknown, field: string): string | undefined {
  if (!(error instanceof Problem)) return undefined
  return error.fields.find(({ location }) => location === `body.${field}`)?.message
}

/** Which fields of the body the console refused, by their outermost names: "maintenance_windows". */
export function refusedFields(error: unknown): string[] {
  if (!(error instanceof Problem)) return []
  return error.fields.map(({ location }) => /^body\.(\w+)/.exec(location)?.[1] ?? '')
}

export function isUnauthorised(error: unknown): boolean {
  return error instanceof Problem && error.status === 401
}

async function readJSON(response: Response): Promise<Record<string, unknown>> {
  try {
    const body: unknown = await response.json()
    return isRecord(body) ? body : {}
  } catch {
    return {}
  }
}

function fieldsOf(errors: unknown): ProblemField[] {
  if (!Array.isArray(errors)) return []
  return errors.filter(isRecord).map((field) => ({ message: text(field.message), location: text(field.location) }))
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
