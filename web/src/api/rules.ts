import { keepPreviousData, queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, bodyOf, type Answered, type Got, type Posted } from './client'
import { allPages, listQuery } from './page'
import { idlePoll } from './scans'

export type Rule = Got<'/api/v1/rules'>['items'][number]
/** What people say of a rule, in full. */
export type RuleDefinition = Posted<'/api/v1/rules'>
export type GroupBy = NonNullable<RuleDefinition['group_by']>
export type Quiet = NonNullable<RuleDefinition['quiet']>[number]
export type Weekday = NonNullable<Quiet['days']>[number]
export type EventType = Got<'/api/v1/rules/types'>['items'][number]
export type RulePreview = Answered<'/api/v1/rules/preview'>
export type Notification = RulePreview['notifications'][number]

const rulesKey = ['rules']

export const rulesQuery = () =>
  listQuery<Rule>({
    key: [...rulesKey, 'list'],
    fetchPage: (cursor, signal) => bodyOf(api.GET('/api/v1/rules', { params: { query: { limit: 100, cursor } }, signal })),
    refetchEvery: () => idlePoll,
  })

/** All of them at once: for lists that name them, and for choosing. */
export const allRulesQuery = queryOptions({
  queryKey: [...rulesKey, 'all'],
  queryFn: ({ signal }) => allPages<Rule>((cursor) => bodyOf(api.GET('/api/v1/rules', { params: { query: { limit: 100, cursor } }, signal }))),
  staleTime: idlePoll,
})

/** The names of rules by their ids. */
export function useRuleNames(): Record<string, string | undefined> {
  const { data: all = [] } = useQuery(allRulesQuery)
  return Object.fromEntries(all.map(({ id, name }) => [id, name]))
}

export const ruleQuery = (id: string) =>
  queryOptions({
    queryKey: [...rulesKey, 'one', id],
    queryFn: ({ signal }) => bodyOf(api.GET('/api/v1/rules/{id}', { params: { path: { id } }, signal })),
    refetchInterval: idlePoll,
  })

export const eventTypesQuery = queryOptions({
  queryKey: ['event types'],
  queryFn: async ({ signal }) => (await bodyOf(api.GET('/api/v1/rules/types', { signal }))).items,
  staleTime: Infinity,
})

/** Rules to begin with. */
export const readyRulesQuery = queryOptions({
  queryKey: ['ready rules'],
  queryFn: async ({ signal }) => (await bodyOf(api.GET('/api/v1/rules/ready', { signal }))).items,
  staleTime: Infinity,
})

/** The names of teams; only administrators may list them. */
export const teamNamesQuery = queryOptions({
  queryKey: ['teams', 'names'],
  queryFn: async ({ signal }) => (await bodyOf(api.GET('/api/v1/teams', { params: { query: { limit: 500 } }, signal }))).items.map(({ name }) => name),
})

/** What a rule would have told of the last events, judged as saving would judge it. It may have no name yet. */
export const rulePreviewQuery = (definition: RuleDefinition) => {
  const body = { ...definition, name: definition.name || 'Preview', enabled: true }
  return queryOptions({
    queryKey: ['rule preview', body],
    queryFn: ({ signal }) => bodyOf(api.POST('/api/v1/rules/preview', { body, signal })),
    placeholderData: keepPreviousData,
  })
}

export function useCreateRule() {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: RuleDefinition) => bodyOf(api.POST('/api/v1/rules', { body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: rulesKey }),
    meta: { shownInPlace: true },
  })
}

export function useEditRule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: RuleDefinition) => bodyOf(api.PUT('/api/v1/rules/{id}', { params: { path: { id } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: rulesKey }),
    meta: { shownInPlace: true },
  })
}

/** The same, from a list, where a refusal is said in a notice. */
export function useEnableRule(id: string) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: (body: RuleDefinition) => bodyOf(api.PUT('/api/v1/rules/{id}', { params: { path: { id } }, body })),
    onSuccess: () => queries.invalidateQueries({ queryKey: rulesKey }),
  })
}

/** Deletes a rule. Its page is left first, so that nobody asks for what is gone. */
export function useDeleteRule(id: string, leave: () => Promise<void>) {
  const queries = useQueryClient()
  return useMutation({
    mutationFn: () => bodyOf(api.DELETE('/api/v1/rules/{id}', { params: { path: { id } } })),
    onSuccess: async () => {
      await leave()
      queries.removeQueries({ queryKey: [...rulesKey, 'one', id] })
      await queries.invalidateQueries({ queryKey: rulesKey })
    },
    meta: { shownInPlace: true },
  })
}
