import {
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  StoreError,
  workflow,
} from 'blazen-xstate'
import { expect, test } from 'vitest'
import { heldStore } from './held-store.ts'
import { rejection, turns } from './waiting.ts'

const Next = defineEvent<{ n: number }>('Next')
const Ping = defineEvent<{ n: number }>('Ping')

/** A chain of three steps that notes what has run. */
function chain(ran: string[] = []) {
  return workflow('chain')
    .step('one', { accepts: StartEvent, emits: Next }, (_, ctx) => {
      ran.push('one')
      ctx.state.update('count', (count: number = 0) => count + 1)
      return Next({ n: 1 })
    })
    .step('two', { accepts: Next, emits: StopEvent }, (event, ctx) => {
      ran.push('two')
      ctx.state.update('count', (count: number = 0) => count + 1)
      return StopEvent({ result: event.n + 1 })
    })
}

test('records are in order, without gaps, and tell what happened', async () => {
  const flow = chain()
  const handler = flow.run({ given: 1 }, { history: true })
  expect(await handler.result()).toBe(2)
  await turns()
  const history = await handler.history()
  expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  expect(history.map(({ kind }) => kind)).toEqual(['started', 'settled', 'settled', 'completed'])
  expect(history[0]).toMatchObject({ event: { type: 'blazen::StartEvent', given: 1 } })
  expect(history[1]).toMatchObject({
    step: 'one',
    execution: 1,
    events: [{ type: 'Next', n: 1 }],
    writes: [['count', 1]],
  })
  expect(history[2]).toMatchObject({ step: 'two', execution: 2, writes: [['count', 2]] })
  expect(typeof history[1]?.durationMs).toBe('number')
})

test('a run that keeps no records says how to have them', async () => {
  const handler = chain().run()
  await handler.result()
  expect(await rejection(handler.history())).toMatchObject({ code: 'no_history' })
})

test('records in memory keep what is live from nobody', async () => {
  const live = () => 1
  const flow = workflow('live').step('make', { accepts: StartEvent, emits: StopEvent }, () =>
    StopEvent({ result: live }),
  )
  const handler = flow.run(undefined, { history: true })
  expect(await handler.result()).toBe(live)
})

test('the consequences of a step begin when its record is durable', async () => {
  const ran: string[] = []
  const store = heldStore()
  const flow = chain(ran)
  await using host = createHost({ store, workflows: [flow], recover: false })
  store.hold()
  const handler = await host.run(flow)
  await turns(10)
  expect(ran).toEqual(['one'])
  expect(handler.status).toBe('running')
  store.letGo()
  expect(await handler.result()).toBe(2)
  expect(ran).toEqual(['one', 'two'])
})

test('many runs share a commit', async () => {
  const store = heldStore()
  const flow = chain()
  await using host = createHost({ store, workflows: [flow], recover: false })
  const handlers = await Promise.all(Array.from({ length: 100 }, () => host.run(flow)))
  await Promise.all(handlers.map((handler) => handler.result()))
  await turns(10)
  // Two settled records and one note for each of 100 runs.
  expect(store.appends).toBeLessThan(12)
})

test('while the store is away a run waits, and no step runs twice', async () => {
  const ran: string[] = []
  const errors: unknown[] = []
  const store = heldStore()
  const flow = chain(ran)
  await using host = createHost({
    store,
    workflows: [flow],
    recover: false,
    onStoreError: (error) => errors.push(error),
  })
  store.failWith(new Error('away'))
  const handler = await host.run(flow)
  await new Promise((resolve) => setTimeout(resolve, 120))
  expect(handler.status).toBe('running')
  expect(ran).toEqual(['one'])
  store.failWith(undefined)
  expect(await handler.result()).toBe(2)
  expect(ran).toEqual(['one', 'two'])
  expect(errors.length).toBeGreaterThan(0)
})

test('a permanent failure of the store ends the run here, and leaves it recoverable', async () => {
  let time = 0
  const inner = memoryStore({ now: () => Date.now() + time })
  const store = heldStore(inner)
  const flow = chain()
  await using host = createHost({ store, workflows: [flow], recover: false, onStoreError: () => {} })
  const full = new StoreError('store_full', 'The disk is full.', true)
  store.failWith(full)
  const handler = await host.run(flow)
  expect(await rejection(handler.result())).toBe(full)
  time = 60_000
  await using other = createHost({ store: inner, workflows: [flow] })
  expect(await (await other.get(handler.runId))?.result()).toBe(2)
})

test('a live value in what a step writes fails the run with the pause policy', async () => {
  const flow = workflow('live').step('write', { accepts: StartEvent, emits: StopEvent }, (_, ctx) => {
    ctx.set('socket', () => {})
    return StopEvent({ result: 1 })
  })
  const store = memoryStore()
  await using host = createHost({ store, workflows: [flow] })
  const handler = await host.run(flow)
  expect(await rejection(handler.result())).toMatchObject({ code: 'session_not_serializable' })
  await turns(5)
  expect((await host.history(handler.runId)).map(({ kind }) => kind)).toEqual(['started', 'failed'])
  expect(await store.info(handler.runId)).toMatchObject({ status: 'failed' })
})

test('values are written down as they were when the step returned', async () => {
  const store = heldStore()
  const data = { list: [1] }
  const flow = workflow('copies', { external: Ping, idle: 'wait' })
    .step('begin', { accepts: StartEvent }, (_, ctx) => ctx.set('data', data))
    .step('ping', { accepts: Ping, emits: StopEvent }, (_, ctx) => StopEvent({ result: ctx.get('data') }))
  await using host = createHost({ store, workflows: [flow] })
  store.hold()
  const handler = await host.run(flow)
  await turns()
  data.list.push(2)
  store.letGo()
  await turns(5)
  expect((await host.history(handler.runId))[1]?.writes).toEqual([['data', { list: [1] }]])
})

test('answers, events and pauses resolve when they are durable', async () => {
  const store = heldStore()
  const flow = workflow('asks', { external: Ping })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
      InputRequestEvent({ requestId: 'q', prompt: '?' }),
    )
    .step('ping', { accepts: Ping }, () => null)
    .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))
  await using host = createHost({ store, workflows: [flow] })
  const handler = await host.run(flow)
  await turns(5)
  expect(handler.status).toBe('waiting')
  store.hold()
  const done: string[] = []
  const sent = handler.sendEvent(Ping({ n: 1 })).then(() => done.push('sent'))
  const answered = handler.respondToInput('q', 42).then(() => done.push('answered'))
  const again = handler.respondToInput('q', 43)
  expect(await rejection(again)).toMatchObject({ code: 'input_request' })
  await turns(5)
  expect(done).toEqual([])
  store.letGo()
  await Promise.all([sent, answered])
  expect(await handler.result()).toBe(42)
  await turns(5)
  expect((await host.history(handler.runId)).map(({ kind }) => kind)).toEqual([
    'started',
    'settled',
    'waiting',
    'event',
    'answered',
    'settled',
    'settled',
    'completed',
  ])
  expect(await rejection(handler.sendEvent(Ping({ n: 2 })))).toMatchObject({ code: 'run_finished' })
})

test('a pause is recorded, and what settles meanwhile waits for the resume', async () => {
  const flow = chain()
  await using host = createHost({ store: memoryStore(), workflows: [flow] })
  const handler = await host.run(flow)
  const snapshot = await handler.pause()
  expect(snapshot.value).toBe('paused')
  expect(handler.status).toBe('paused')
  await turns(5)
  expect(await host.get(handler.runId).then((run) => run?.status())).toBe('paused')
  handler.resume()
  expect(await handler.result()).toBe(2)
  await turns(5)
  const kinds = (await host.history(handler.runId)).map(({ kind }) => kind)
  expect(kinds.filter((kind) => kind === 'settled')).toHaveLength(2)
  expect(kinds).toContain('pausing')
  expect(kinds).toContain('resumed')
})

test('a failed attempt is recorded before its retry', async () => {
  const store = heldStore()
  let calls = 0
  const flow = workflow('retries').step(
    'try',
    { accepts: StartEvent, emits: StopEvent, retry: { attempts: 3 } },
    (_, ctx) => {
      calls++
      if (ctx.attempt < 3) throw new Error(`attempt ${ctx.attempt}`)
      return StopEvent({ result: ctx.attempt })
    },
  )
  await using host = createHost({ store, workflows: [flow] })
  store.hold()
  const handler = await host.run(flow)
  await turns(5)
  expect(calls).toBe(1)
  store.letGo()
  expect(await handler.result()).toBe(3)
  await turns(5)
  expect((await host.history(handler.runId)).map(({ kind, attempt }) => [kind, attempt])).toEqual([
    ['started', undefined],
    ['retried', 2],
    ['retried', 3],
    ['settled', undefined],
    ['completed', undefined],
  ])
})
