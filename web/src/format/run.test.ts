import { expect, test } from 'vitest'
import { runLine, runNotes } from './run'

const nodes = { waiting: 0, queued: 0, collecting: 0, matching: 0, complete: 0, failed: 0, cancelled: 0, skipped: 0 }

test.each([
  [{ nodes: { ...nodes, complete: 10, failed: 1 }, selected: 11, error: '' }, '10 complete, 1 failed, of 11 nodes'],
  [{ nodes: { ...nodes, waiting: 1 }, selected: 1, error: '' }, '1 waiting, of 1 node'],
  [{ nodes, selected: 0, error: '' }, 'no node was meant'],
  [{ nodes, selected: 0, error: 'no such label' }, 'failed: no such label'],
])('%j is told as %s', (run, line) => {
  expect(runLine(run)).toBe(line)
})

test('a run out of the ordinary says why', () => {
  expect(runNotes({ caught_up: true, held_by: '', missed: 2, dropped: 0, retried: 0 })).toEqual([
    'makes up for a time when the console was away',
    '2 fire times before it were missed',
  ])
  expect(runNotes({ caught_up: false, held_by: '', missed: 0, dropped: 0, retried: 0 })).toEqual([])
})
