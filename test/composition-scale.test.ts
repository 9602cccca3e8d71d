import { defineEvent, pipeline, StartEvent, StopEvent, subWorkflow, typeOnly, workflow } from 'blazen-xstate'
import { expect, test } from 'vitest'
import { type AnyActorLogic, type AnyActorRef, createActor, toPromise } from 'xstate'

const numbers = { input: typeOnly<{ value: number }>() }
const add = workflow('add', numbers).step('work', { accepts: StartEvent, emits: StopEvent }, ({ value }) =>
  StopEvent({ result: { value: value + 1 } }),
)

interface Registry {
  _register(sessionId: string, actor: AnyActorRef): string
  _unregister(actor: AnyActorRef): void
}

/** Runs to the end; tells of the most actors that were registered at once, and of those that are left. */
async function runCounted(logic: AnyActorLogic): Promise<{ output: unknown; most: number; left: number; ms: number }> {
  const startedAt = performance.now()
  const actor = createActor(logic, { input: { value: 0 } })
  const system = actor.system as unknown as Registry
  const { _register: register, _unregister: unregister } = system
  const registered = new Set<string>()
  let most = 0
  system._register = (sessionId, ref) => {
    registered.add(sessionId)
    most = Math.max(most, registered.size)
    return register(sessionId, ref)
  }
  system._unregister = (ref) => {
    registered.delete(ref.sessionId)
    unregister(ref)
  }
  const result = toPromise(actor)
  actor.start()
  const output = await result
  return { output, most, left: registered.size, ms: performance.now() - startedAt }
}

test('of a thousand branches no actor is left behind', async () => {
  const branches = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`b${at}`, add]))
  const { output, most, left } = await runCounted(pipeline('wide', numbers).parallel('fan', branches).machine)
  expect(Object.keys(output as object)).toHaveLength(1000)
  expect(most).toBeGreaterThanOrEqual(1000)
  expect(left).toBe(0)
}, 60_000)

test('a loop of a thousand rounds has the actors of one', async () => {
  const { output, most, left } = await runCounted(pipeline('long', numbers).loop('grow', add, { max: 1000 }).machine)
  expect(output).toEqual({ value: 1000 })
  // The pipeline and its step, the round and its step, and the round before, which is about to go.
  expect(most).toBeLessThanOrEqual(6)
  expect(left).toBe(0)
}, 60_000)

test('of a thousand runs inside, one for each event, no actor is left behind', async () => {
  const Job = defineEvent('Job', typeOnly<{ value: number }>())
  const Done = defineEvent('Done', typeOnly<{ value: number }>())
  const flow = workflow('many')
    .step('begin', { accepts: StartEvent, emits: Job }, () =>
      Array.from({ length: 1000 }, (_, value) => Job({ value })),
    )
    .step('child', subWorkflow(add, { accepts: Job, emits: Done, concurrency: 10 }))
    .step('end', { accepts: Done, emits: StopEvent }, (_event, ctx) =>
      ctx.collect(Done, 1000) ? StopEvent({ result: 'done' }) : null,
    )
  const { most, left } = await runCounted(flow.machine)
  expect(most).toBeLessThanOrEqual(40)
  expect(left).toBe(0)
}, 60_000)

test('ten times the branches take ten times as long, not a hundred', async () => {
  const wide = (count: number) =>
    pipeline('wide', numbers).parallel(
      'fan',
      Object.fromEntries(Array.from({ length: count }, (_, at) => [`b${at}`, add])),
    ).machine
  const [small, large] = [wide(300), wide(3000)]
  await runCounted(small)
  const times = [await runCounted(small), await runCounted(small), await runCounted(small)].map(({ ms }) => ms)
  const { ms } = await runCounted(large)
  expect(ms / Math.max(...times)).toBeLessThan(40)
}, 60_000)
