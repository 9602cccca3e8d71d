import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect'
import { expect, test, vi } from 'vitest'
import { createActor, type InspectionEvent, type Observer, toPromise } from 'xstate'
import { book, wordCounter } from '../examples/03-fan-out-fan-in.ts'

/** An inspector that keeps what it is shown: the adapter is ours, and nothing leaves the process. */
function createRecorder(): { seen: StatelyInspectionEvent[]; inspect: Observer<InspectionEvent> } {
  const seen: StatelyInspectionEvent[] = []
  const { inspect } = createInspector({ send: (event: StatelyInspectionEvent) => void seen.push(event) })
  return { seen, inspect }
}

test('the Stately inspector shows a run, its step actors and the events between them', async () => {
  const { seen, inspect } = createRecorder()
  const actor = createActor(wordCounter.machine, { input: { book }, inspect }).start()
  await toPromise(actor)
  // It converts what it sees a little later.
  await vi.waitFor(() => expect(snapshotsOf(seen, actor.sessionId).at(-1)?.status).toBe('done'))

  const actors = seen.flatMap((event) => (event.type === '@xstate.actor' ? event : []))
  const names = new Map(actors.map(({ sessionId, name }) => [sessionId, name]))
  expect(actors.map(({ name, parentId }) => [name, parentId && names.get(parentId)])).toEqual([
    ['word-counter', undefined],
    ['split', 'word-counter'],
    ['count', 'word-counter'],
    ['join', 'word-counter'],
  ])

  const routed = seen.flatMap((event) => {
    if (event.type !== '@xstate.event' || event.sourceId !== actor.sessionId) return []
    return event.event.type.startsWith('xstate.') ? [] : `${event.event.type} -> ${names.get(event.sessionId)}`
  })
  expect(count(routed)).toEqual({ 'blazen::StartEvent -> split': 1, 'Chapter -> count': 3, 'Counted -> join': 3 })
})

test('the Stately inspector gets the chart of a run', async () => {
  const { seen, inspect } = createRecorder()
  await toPromise(createActor(wordCounter.machine, { input: { book }, inspect }).start())
  await vi.waitFor(() => expect(seen).not.toEqual([]))

  const [run] = seen.flatMap((event) => (event.type === '@xstate.actor' ? event : []))
  const { id, invoke, states } = JSON.parse(run?.definition ?? '{}')
  expect(id).toBe('word-counter')
  expect(invoke.map((each: { id: string }) => each.id)).toEqual(['split', 'count', 'join'])
  expect(Object.keys(states)).toEqual(expect.arrayContaining(['running', 'waiting', 'completed', 'failed', 'aborted']))
  expect(states.running.on).toHaveProperty('Chapter')
})

function snapshotsOf(seen: readonly StatelyInspectionEvent[], sessionId: string): { status: string }[] {
  return seen.flatMap((event) =>
    event.type === '@xstate.snapshot' && event.sessionId === sessionId ? (event.snapshot as { status: string }) : [],
  )
}

function count(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...new Set(words)].map((word) => [word, words.filter((each) => each === word).length]))
}
