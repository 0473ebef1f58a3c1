import { expect, test } from 'vitest'
import { fieldProblem, Problem, refusedFields } from './problem'

const refused = new Problem(422, 'Unprocessable Entity', 'two fields', [
  { location: 'body.cron', message: 'never fires' },
  { location: 'body.maintenance_windows[1].duration', message: 'is no duration' },
])

test('a refusal stands at its field', () => {
  expect(fieldProblem(refused, 'cron')).toBe('never fires')
  expect(fieldProblem(refused, 'maintenance_windows[1].duration')).toBe('is no duration')
  expect(fieldProblem(refused, 'maintenance_windows[0].duration')).toBeUndefined()
  expect(fieldProblem(refused, 'maintenance_windows')).toBeUndefined()
})

test('refusedFields names what a field lies in', () => {
  expect(refusedFields(refused)).toEqual(['cron', 'maintenance_windows'])
  expect(refusedFields(new Problem(422, 'Unprocessable Entity', 'no body', [{ location: 'body', message: 'is missing' }]))).toEqual([''])
  expect(refusedFields(new Problem(409, 'Conflict', 'there is one already'))).toEqual([])
  expect(refusedFields(undefined)).toEqual([])
})
