import createClient, { type Middleware } from 'openapi-fetch'
import { problemOfResponse } from './problem'
import type { paths } from './schema'

const throwProblems: Middleware = {
  async onResponse({ response }) {
    if (!response.ok) throw await problemOfResponse(response)
  },
}

/**
 * The console's API, typed by its OpenAPI document. Requests carry the session cookie, which scripts cannot read;
 * a failure throws a Problem.
 */
export const api = createClient<paths>({ baseUrl: '/' })
api.use(throwProblems)

/** The body of a call that succeeded: those that failed have thrown. */
export async function bodyOf<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call
  return data as T
}

type SuccessOf<Operation> = Operation extends { responses: { 200: { content: { 'application/json': infer Body } } } } ? Body : never

/** What GET may be asked at a path, after the question mark. */
export type Asked<Path extends keyof paths> = paths[Path] extends { get: { parameters: { query?: infer Query } } } ? NonNullable<Query> : never

/** What GET answers at a path: types follow the document's paths, so that its schemas may change their names. */
export type Got<Path extends keyof paths> = paths[Path] extends { get: infer Operation } ? SuccessOf<Operation> : never

/** What POST takes at a path, and what it answers. */
export type Posted<Path extends keyof paths> = paths[Path] extends { post: { requestBody: { content: { 'application/json': infer Body } } } } ? Body : never
export type Answered<Path extends keyof paths> = paths[Path] extends { post: infer Operation } ? SuccessOf<Operation> : never
