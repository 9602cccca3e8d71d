import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createHost,
  defineEvent,
  type Host,
  type HostOptions,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  type Store,
  workflow,
} from 'blazen-xstate'
import { expect, test } from 'vitest'
import { sqliteStore } from '../src/sqlite/index.ts'
import { createGate, rejection, turns } from './waiting.ts'

const Next = defineEvent<{ n: number }>('Next')
const Ping = defineEvent<{ n: number }>('Ping')

const asks = workflow('asks', { external: Ping })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, (event) =>
    InputRequestEvent({ requestId: 'q', prompt: String(event.prompt ?? '?') }),
  )
  .step('ping', { accepts: Ping }, (event, ctx) => ctx.state.update('pings', (all: number[] = []) => [...all, event.n]))
  .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event, ctx) =>
    StopEvent({ result: [event.response, ctx.get('pings', [])] }),
  )

const adds = workflow('adds').step('add', { accepts: StartEvent, emits: StopEvent }, (event) =>
  StopEvent({ result: Number(event.a) + Number(event.b) }),
)

/** A store whose clock can be set ahead, so that leases run out. */
function storeOnClock() {
  let skippedMs = 0
  const store = memoryStore({ now: () => Date.now() + skippedMs })
  return {
    store,
    expireLeases: () => {
      skippedMs += 3_600_000
    },
  }
}

function hostOn(store: Store, options: Partial<HostOptions> = {}): Host {
  return createHost({ store, workflows: [asks, adds], pollMs: 5, graceMs: 100, ...options })
}

async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 1_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

const statusOn = async (host: Host, runId: string) => (await host.get(runId))?.status()

test('a run is in the store before it starts, and can be read after its end', async () => {
  const store = memoryStore()
  await using host = hostOn(store)
  const handler = await host.run(adds, { a: 1, b: 2 }, { runId: 'one' })
  expect(await store.info('one')).toMatchObject({ status: 'running', seq: 1, workflow: 'adds' })
  expect(await handler.result()).toBe(3)
  await until(async () => (await store.info('one'))?.status === 'completed')
  const run = await host.get('one')
  expect(await run?.status()).toBe('completed')
  expect(await run?.result()).toBe(3)
  expect((await run?.history())?.map(({ kind }) => kind)).toEqual(['started', 'settled', 'completed'])
  expect((await host.list({ workflow: 'adds' })).runs.map(({ runId }) => runId)).toEqual(['one'])
  expect(await host.get('two')).toBeUndefined()
})

test('the same idempotency key is the same run: at once, later, after its end, and on another host', async () => {
  const store = memoryStore()
  await using host = hostOn(store)
  const [first, second] = await Promise.all([
    host.run(asks, {}, { idempotencyKey: 'k' }),
    host.run(asks, {}, { idempotencyKey: 'k' }),
  ])
  expect(second).toBe(first)
  expect(await host.run(asks, {}, { idempotencyKey: 'k' })).toBe(first)
  await using other = hostOn(store)
  const elsewhere = await other.run(asks, {}, { idempotencyKey: 'k' })
  expect(elsewhere.runId).toBe(first.runId)
  await until(() => first.status === 'waiting')
  await elsewhere.respondToInput('q', 'yes')
  expect(await first.result()).toEqual(['yes', []])
  expect(await elsewhere.result()).toEqual(['yes', []])
  await until(async () => (await store.info(first.runId))?.status === 'completed')
  const after = await other.run(asks, {}, { idempotencyKey: 'k' })
  expect(after.status).toBe('completed')
  expect(await after.result()).toEqual(['yes', []])
  expect(await after.history()).toHaveLength(6)
  expect((await host.list()).runs).toHaveLength(1)
})

test('what a dead process left is recovered, and what had settled does not run again', async () => {
  const { store, expireLeases } = storeOnClock()
  const ran: string[] = []
  const gate = createGate()
  const flow = workflow('two')
    .step('one', { accepts: StartEvent, emits: Next }, (_, ctx) => {
      ran.push('one')
      ctx.set('one', true)
      return Next({ n: 1 })
    })
    .step('two', { accepts: Next, emits: StopEvent }, async (_, ctx) => {
      ran.push('two')
      if (ran.length < 3) await gate.opened
      return StopEvent({ result: ctx.get('one') })
    })
  const dead = createHost({ store, workflows: [flow], leaseMs: '1h' })
  const { runId } = await dead.run(flow)
  await until(() => ran.length === 2)
  await using host = createHost({ store, workflows: [flow], pollMs: 5 })
  await turns(5)
  expect(ran).toEqual(['one', 'two'])
  expireLeases()
  expect(await (await host.get(runId))?.result()).toBe(true)
  expect(ran).toEqual(['one', 'two', 'two'])
})

test('a host that lost its lease does no harm, and is told', async () => {
  const { store, expireLeases } = storeOnClock()
  const gate = createGate<number>()
  let calls = 0
  const flow = workflow('slow').step('wait', { accepts: StartEvent, emits: StopEvent }, async (_, ctx) => {
    const call = ++calls
    ctx.set('by', call)
    return StopEvent({ result: call === 1 ? await gate.opened : call })
  })
  const asleep = createHost({ store, workflows: [flow], leaseMs: '1h', pollMs: '1h' })
  const handler = await asleep.run(flow)
  await until(() => calls === 1)
  expireLeases()
  await using host = createHost({ store, workflows: [flow], pollMs: 5 })
  expect(await (await host.get(handler.runId))?.result()).toBe(2)
  gate.open(1)
  expect(await rejection(handler.result())).toMatchObject({ code: 'run_ownership_lost' })
  const kinds = (await host.history(handler.runId)).map(({ kind, writes }) => [kind, writes?.[0]?.[1]])
  expect(kinds).toEqual([
    ['started', undefined],
    ['settled', 2],
    ['completed', undefined],
  ])
})

test('a closed host hands its runs over at once, with what was in flight finished', async () => {
  const store = memoryStore()
  const ran: string[] = []
  const flow = workflow('hands-over')
    .step('one', { accepts: StartEvent, emits: Next }, async () => {
      ran.push('one')
      await new Promise((resolve) => setTimeout(resolve, 20))
      return Next({ n: 1 })
    })
    .step('two', { accepts: Next, emits: StopEvent }, () => {
      ran.push('two')
      return StopEvent({ result: 'done' })
    })
  const first = createHost({ store, workflows: [flow] })
  const handler = await first.run(flow)
  await until(() => ran.length === 1)
  await first.close()
  expect(await rejection(handler.result())).toMatchObject({ code: 'run_ownership_lost' })
  expect(ran).toEqual(['one'])
  expect((await store.records(handler.runId)).map(({ kind }) => kind)).toEqual(['started', 'settled'])
  await using second = createHost({ store, workflows: [flow], pollMs: 5 })
  expect(await (await second.get(handler.runId))?.result()).toBe('done')
  expect(ran).toEqual(['one', 'two'])
  expect(await rejection(first.run(flow))).toMatchObject({ code: 'host_closed' })
})

test('a run that was paused by hand stays paused until it is resumed', async () => {
  const store = memoryStore()
  const first = hostOn(store)
  const handler = await first.run(asks)
  await handler.pause()
  await first.close()
  await using second = hostOn(store)
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(await statusOn(second, handler.runId)).toBe('paused')
  await second.resume(handler.runId)
  await until(async () => (await statusOn(second, handler.runId)) === 'waiting')
  await second.respondToInput(handler.runId, 'q', 1)
  expect(await (await second.get(handler.runId))?.result()).toEqual([1, []])
})

test('answers, events and aborts reach the owner from another host', async () => {
  const store = memoryStore()
  await using owner = hostOn(store)
  await using other = hostOn(store)
  const handler = await owner.run(asks)
  await until(async () => (await store.info(handler.runId))?.status === 'waiting')
  await other.sendEvent(handler.runId, Ping({ n: 1 }))
  await until(async () => (await owner.history(handler.runId)).some(({ kind }) => kind === 'event'))
  expect(await (await other.get(handler.runId))?.pendingInputs()).toMatchObject([{ requestId: 'q' }])
  await other.respondToInput(handler.runId, 'q', 'yes')
  expect(await (await other.get(handler.runId))?.result()).toEqual(['yes', [1]])
  expect(await rejection(other.respondToInput(handler.runId, 'q', 'no'))).toMatchObject({ code: 'run_finished' })

  const aborted = await owner.run(asks)
  await until(async () => (await store.info(aborted.runId))?.status === 'waiting')
  await other.abort(aborted.runId, 'enough')
  expect(await rejection(aborted.result())).toMatchObject({ code: 'run_aborted', reason: 'enough' })
  await other.abort(aborted.runId)
})

test('an answer that comes early waits until it is asked for, and one that comes twice counts once', async () => {
  const store = memoryStore()
  const gate = createGate()
  const flow = workflow('twice')
    .step('slow', { accepts: StartEvent, emits: InputRequestEvent }, async () => {
      await gate.opened
      return InputRequestEvent({ requestId: 'q', prompt: 'first' })
    })
    .step('again', { accepts: InputResponseEvent, emits: [InputRequestEvent, StopEvent] }, (event, ctx) => {
      const answers = [...ctx.get<unknown[]>('answers', []), event.response]
      ctx.set('answers', answers)
      return answers.length < 2
        ? InputRequestEvent({ requestId: 'q', prompt: 'second' })
        : StopEvent({ result: answers })
    })
  await using owner = createHost({ store, workflows: [flow], pollMs: 5 })
  await using other = createHost({ store, workflows: [flow], pollMs: 5 })
  const handler = await owner.run(flow)
  await other.respondToInput(handler.runId, 'q', 'one')
  await other.respondToInput(handler.runId, 'q', 'one')
  await turns(5)
  gate.open()
  await until(() => handler.pendingInputs[0]?.prompt === 'second')
  await new Promise((resolve) => setTimeout(resolve, 30))
  // The second of the early ones was for the same question, and is no answer to the next.
  expect(handler.pendingInputs).toHaveLength(1)
  await other.respondToInput(handler.runId, 'q', 'two')
  expect(await handler.result()).toEqual(['one', 'two'])
  await until(async () => (await store.inbox(handler.runId)).length === 0)
})

test('an answer that comes while nobody has the run is taken when it is recovered', async () => {
  const { store, expireLeases } = storeOnClock()
  const dead = hostOn(store, { leaseMs: '1h', pollMs: '1h' })
  const { runId } = await dead.run(asks)
  await until(async () => (await store.info(runId))?.status === 'waiting')
  await using messenger = hostOn(store, { recover: false })
  await messenger.respondToInput(runId, 'q', 'yes')
  expireLeases()
  // The letter was told to nobody but the dead one, which holds the run in this test too: it has to lose.
  await using host = hostOn(store)
  expect(await (await host.get(runId))?.result()).toEqual(['yes', []])
})

test('a fork goes on from any record, and an answer can be another one', async () => {
  const store = memoryStore()
  await using host = hostOn(store)
  const handler = await host.run(asks, { prompt: 'Really?' })
  await until(() => handler.status === 'waiting')
  await handler.sendEvent(Ping({ n: 7 }))
  await until(() => handler.status === 'waiting')
  await handler.respondToInput('q', 'yes')
  expect(await handler.result()).toEqual(['yes', [7]])
  await until(async () => (await store.info(handler.runId))?.status === 'completed')
  const history = await host.history(handler.runId)
  for (const { seq, kind } of history) {
    const fork = await host.fork(handler.runId, { at: seq })
    expect(fork.runId).not.toBe(handler.runId)
    if (fork.status !== 'completed') {
      await until(() => fork.status === 'waiting' || fork.status === 'completed')
      if (fork.status === 'waiting') await fork.respondToInput('q', 'yes')
    }
    const pings = history.some((record) => record.kind === 'event' && record.seq <= seq) ? [7] : []
    expect([kind, await fork.result()]).toEqual([kind, ['yes', pings]])
  }
  const answered = history.find(({ kind }) => kind === 'answered')?.seq ?? 0
  const edited = await host.fork(handler.runId, { at: answered, edit: { response: 'no' } })
  expect(await edited.result()).toEqual(['no', [7]])
  const begun = await host.fork(handler.runId, { at: 1, edit: { event: { type: StartEvent.type, prompt: 'Other?' } } })
  await until(() => begun.pendingInputs.length === 1)
  expect(begun.pendingInputs[0]?.prompt).toBe('Other?')
  expect(await host.history(handler.runId)).toEqual(history)
  expect(await rejection(host.fork(handler.runId, { at: 99 }))).toMatchObject({ code: 'fork' })
  expect(await rejection(host.fork(handler.runId, { at: 2, edit: { response: 1 } }))).toMatchObject({ code: 'fork' })
})

test('recovery never has more runs in memory than it may, and gets through them all', async () => {
  const store = memoryStore()
  let atOnce = 0
  let most = 0
  const flow = workflow('many').step('work', { accepts: StartEvent, emits: StopEvent }, async () => {
    most = Math.max(most, ++atOnce)
    await new Promise((resolve) => setTimeout(resolve, 1))
    atOnce--
    return StopEvent({ result: 1 })
  })
  const first = createHost({ store, workflows: [flow], graceMs: 0 })
  await Promise.all(Array.from({ length: 100 }, () => first.run(flow)))
  await first.close()
  most = 0
  atOnce = 0
  await using second = createHost({ store, workflows: [flow], maxRuns: 7, pollMs: 5 })
  await until(async () => (await second.list({ status: 'running', limit: 1 })).runs.length === 0)
  expect(most).toBeLessThanOrEqual(7)
})

test('runs that only wait leave memory, and come back when they are answered', async () => {
  const store = memoryStore()
  const first = hostOn(store)
  const handlers = await Promise.all(Array.from({ length: 30 }, () => first.run(asks)))
  await until(() => handlers.every(({ status }) => status === 'waiting'))
  await first.close()
  await using second = hostOn(store, { maxRuns: 3 })
  const lastId = (await second.list({ limit: 1 })).runs[0]?.runId ?? ''
  await until(async () => (await second.list()).runs.every(({ owner }) => owner !== null))
  await using messenger = hostOn(store, { recover: false })
  for (const { runId } of handlers) await messenger.respondToInput(runId, 'q', 1)
  for (const { runId } of handlers) expect(await (await messenger.get(runId))?.result()).toEqual([1, []])
  expect(await statusOn(second, lastId)).toBe('completed')
})

test('a run that waits for its own time comes back by itself', async () => {
  const store = memoryStore()
  const flow = workflow('timed')
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
      InputRequestEvent({ requestId: 'q', prompt: '?', timeout: 60, default: 'nobody' }),
    )
    .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))
  const first = createHost({ store, workflows: [flow] })
  const handler = await first.run(flow)
  await until(() => handler.status === 'waiting')
  await first.close()
  await using second = createHost({ store, workflows: [flow], pollMs: 5 })
  await new Promise((resolve) => setTimeout(resolve, 200))
  await until(async () => (await store.info(handler.runId))?.status === 'completed')
  expect(await (await second.get(handler.runId))?.result()).toBe('nobody')
})

test('ended runs are deleted when their time is over, and any run on demand', async () => {
  const store = memoryStore()
  await using host = hostOn(store, { historyRetention: 20 })
  const handler = await host.run(adds, { a: 1, b: 1 })
  expect(await handler.result()).toBe(2)
  await until(async () => (await store.info(handler.runId)) === undefined)
  const waiting = await host.run(asks)
  expect(await host.delete(waiting.runId)).toBe(true)
  expect(await rejection(waiting.result())).toMatchObject({ code: 'run_ownership_lost' })
  expect(await host.delete(waiting.runId)).toBe(false)
  expect(await rejection(host.abort(waiting.runId))).toMatchObject({ code: 'run_unknown' })
})

test('large states get a base, and recovery reads it', async () => {
  const store = memoryStore()
  const flow = workflow('grows')
    .step('begin', { accepts: StartEvent, emits: Next }, (_, ctx) => {
      ctx.setBytes('blob', new Uint8Array(100_000).fill(7))
      return Next({ n: 0 })
    })
    .step('grow', { accepts: Next, emits: [Next, InputRequestEvent] }, (event, ctx) => {
      ctx.set(`key ${event.n}`, 'x'.repeat(10_000))
      return event.n < 30 ? Next({ n: event.n + 1 }) : InputRequestEvent({ requestId: 'q', prompt: '?' })
    })
    .step('end', { accepts: InputResponseEvent, emits: StopEvent }, (_, ctx) => {
      const keys = [...ctx.state.keys()].length
      return StopEvent({ result: [keys, ctx.getBytes('blob')?.reduce((sum, byte) => sum + byte, 0)] })
    })
  const first = createHost({ store, workflows: [flow] })
  const handler = await first.run(flow)
  await until(() => handler.status === 'waiting')
  await first.close()
  const stored = await store.load(handler.runId)
  expect(stored?.base?.seq).toBeGreaterThan(1)
  expect(stored?.records.length).toBeLessThan(30)
  await using second = createHost({ store, workflows: [flow], pollMs: 5 })
  await second.respondToInput(handler.runId, 'q', 1)
  expect(await (await second.get(handler.runId))?.result()).toEqual([32, 700_000])
  expect((await second.history(handler.runId))[0]?.kind).toBe('started')
})

test('a run that does not fit into its workflow any more is refused, and the others go on', async () => {
  const store = memoryStore()
  const gate = createGate()
  const one = workflow('changes')
    .step('a', { accepts: StartEvent, emits: Next }, () => Next({ n: 1 }))
    .step('b', { accepts: Next, emits: Ping }, () => Ping({ n: 1 }))
    .step('c', { accepts: Ping, emits: StopEvent }, async () => StopEvent({ result: await gate.opened }))
  const first = createHost({ store, workflows: [one, adds], graceMs: 0 })
  const { runId } = await first.run(one)
  await until(async () => (await store.info(runId))?.seq === 3)
  await first.close()
  const two = workflow('changes')
    .step('a', { accepts: StartEvent, emits: Next }, () => Next({ n: 1 }))
    .step('b', { accepts: Next, emits: Ping }, () => Ping({ n: 1 }))
    .step('new', { accepts: Ping, emits: StopEvent }, () => StopEvent({ result: 1 }))
  const errors: unknown[] = []
  await using second = createHost({
    store,
    workflows: [two, adds],
    pollMs: 5,
    onStoreError: (error) => errors.push(error),
  })
  await until(() => errors.length > 0)
  expect(String(errors[0])).toContain('has step "c" under way')
  expect(await (await second.run(adds, { a: 1, b: 1 })).result()).toBe(2)
  expect(await store.info(runId)).toMatchObject({ status: 'running', seq: 3 })
})

test('a host on a SQLite file goes on where the one before it was', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'blazen-host-')), 'runs.db')
  const first = sqliteStore(file)
  const before = hostOn(first)
  const handlers = await Promise.all(Array.from({ length: 20 }, (_, n) => before.run(asks, { prompt: `${n}?` })))
  await until(() => handlers.every(({ status }) => status === 'waiting'))
  await before.close()
  await first.close()
  const second = sqliteStore(file)
  const after = hostOn(second)
  for (const { runId } of handlers) await after.respondToInput(runId, 'q', 'yes')
  for (const { runId } of handlers) expect(await (await after.get(runId))?.result()).toEqual(['yes', []])
  await after.close()
  await second.close()
})

test('many hosts share the runs of one store, and each run is started again by one of them', async () => {
  const { store, expireLeases } = storeOnClock()
  const calls = new Map<string, number>()
  const flow = workflow('shared').step('work', { accepts: StartEvent, emits: StopEvent }, async (_, ctx) => {
    calls.set(ctx.runId, (calls.get(ctx.runId) ?? 0) + 1)
    if (calls.get(ctx.runId) === 1) await new Promise(() => {})
    return StopEvent({ result: ctx.runId })
  })
  const dead = createHost({ store, workflows: [flow], leaseMs: '1h', pollMs: '1h' })
  const handlers = await Promise.all(Array.from({ length: 50 }, () => dead.run(flow)))
  await until(() => calls.size === 50)
  expireLeases()
  const hosts = Array.from({ length: 3 }, () =>
    createHost({ store, workflows: [flow], maxRuns: 5, pollMs: 2, graceMs: 50 }),
  )
  for (const { runId } of handlers) expect(await (await hosts[0]?.get(runId))?.result()).toBe(runId)
  expect([...calls.values()].every((count) => count === 2)).toBe(true)
  for (const host of hosts) await host.close()
})
