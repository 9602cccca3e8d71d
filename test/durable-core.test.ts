import {
  BlazenState,
  CallbackFieldStore,
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  type SessionEntryLostError,
  StalledError,
  StartEvent,
  StopEvent,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { createActor, type InspectionEvent } from 'xstate'
import { z } from 'zod'
import { createGate, rejection, turns } from './waiting.ts'

const Item = defineEvent<{ n: number }>('Item')
const Ping = defineEvent('Ping')
const asText = (snapshot: WorkflowSnapshot): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))

async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 4_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

describe('a run that has ended, read by a process that never had it', () => {
  /** Ends by an item while others are still at work, with a request, a timer and a collected item open. */
  const flow = workflow('ends', { external: Ping })
    .step('begin', { accepts: StartEvent, emits: [Item, InputRequestEvent] }, (event, ctx) => {
      ctx.set('how', event.how)
      ctx.sendEvent(Ping(), { delay: '1h' })
      return [Item({ n: 1 }), Item({ n: 2 }), Item({ n: 3 }), InputRequestEvent({ requestId: 'q', prompt: '?' })]
    })
    .step('item', { accepts: Item, emits: StopEvent }, async ({ n }, ctx) => {
      if (n === 1) return void ctx.collect(Item, 9)
      if (n === 2 || ctx.get('how') === 'hang') return new Promise<null>(() => {})
      await turns()
      if (ctx.get('how') === 'fail') throw new TypeError('no')
      return StopEvent({ result: new Map([['how', ctx.get('how')]]) })
    })
    .step('ping', { accepts: Ping }, () => null)
    .step('answer', { accepts: InputResponseEvent }, () => null)

  async function ended(how: string, status: string) {
    const store = memoryStore()
    const first = createHost({ store, workflows: [flow], graceMs: 0 })
    const { runId } = await first.run(flow, { how })
    if (how === 'hang') {
      await until(async () => (await (await first.get(runId))?.pendingInputs())?.length === 1)
      await first.abort(runId, new RangeError('enough'))
    }
    await until(async () => (await store.info(runId))?.status === status)
    await first.close()
    const host = createHost({ store, workflows: [flow] })
    const run = await host.get(runId)
    if (run === undefined) throw new Error('There is no run.')
    const handler = await run.handler()
    expect(await run.status()).toBe(status)
    expect(await run.pendingInputs()).toEqual([])
    expect(handler?.status).toBe(status)
    expect(handler?.pendingInputs).toEqual([])
    const { context } = handler?.snapshot() ?? {}
    expect([context?.executions, context?.requests, context?.timers, context?.queue]).toEqual([[], [], [], []])
    expect(await rejection(run.respondToInput('q', 1))).toMatchObject({ code: 'run_finished' })
    return { run, host, handler, context }
  }

  test('has its result, and nothing left to do', async () => {
    const { run, host, handler, context } = await ended('complete', 'completed')
    expect(await run.result()).toEqual(new Map([['how', 'complete']]))
    expect(await handler?.result()).toEqual(new Map([['how', 'complete']]))
    expect(context?.collections).toEqual([])
    await host.close()
  })

  test('has the error that it failed with', async () => {
    const { run, host } = await ended('fail', 'failed')
    const error = await rejection(run.result())
    expect(error).toMatchObject({ code: 'step_failed', step: 'item', event: { n: 3 } })
    expect((error as Error).cause).toEqual(new TypeError('no'))
    await host.close()
  })

  test('has the reason that it was aborted for', async () => {
    const { run, host } = await ended('hang', 'aborted')
    expect(await rejection(run.result())).toMatchObject({ code: 'run_aborted', reason: new RangeError('enough') })
    await host.close()
  })
})

describe('an inspector that throws', () => {
  const types = ['@xstate.actor', '@xstate.event', '@xstate.snapshot', '@xstate.microstep', '@xstate.action'] as const
  test.each(types)('at any %s leaves the run as it is, and its stream ends', async (type) => {
    const thrown: unknown[] = []
    const before = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => thrown.push(error))
    try {
      const flow = workflow('inspected')
        .step('a', { accepts: StartEvent, emits: Item }, async () => Item({ n: 1 }))
        .step('b', { accepts: Item, emits: StopEvent }, async (event, ctx) => {
          ctx.writeEventToStream(event)
          return StopEvent({ result: event.n })
        })
      let root = true
      const inspect = (event: InspectionEvent) => {
        // The actor of the run itself is made by who is told, who hears of it there.
        if (event.type === '@xstate.actor' && root) root = false
        else if (event.type === type) throw new Error('inspect')
      }
      const actor = createActor(flow.machine, { input: {} as never, inspect }).start()
      await until(() => actor.getSnapshot().status !== 'active')
      expect([actor.getSnapshot().status, actor.getSnapshot().output]).toEqual(['done', 1])
      const { stream } = actor.getSnapshot().context.run.local as { stream: { ended: boolean } }
      expect(stream.ended).toBe(true)
      await until(() => thrown.length > 0)
      expect(new Set(thrown.map(String))).toEqual(new Set(['Error: inspect']))
      await new Promise((resolve) => setTimeout(resolve, 10))
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    }
  })
})

test('a key can be updated 20,000 times in one step', async () => {
  let calls = 0
  const flow = workflow('many').step('all', { accepts: StartEvent, emits: StopEvent }, (_, ctx) => {
    for (let n = 0; n < 20_000; n++) {
      ctx.state.update('count', (before: number = 0) => {
        calls++
        return before + 1
      })
    }
    return StopEvent({ result: ctx.get('count') })
  })
  const start = performance.now()
  expect(await flow.run().result()).toBe(20_000)
  expect(calls).toBe(20_000)
  expect(performance.now() - start).toBeLessThan(5_000)
})

describe('a value of state that was left behind', () => {
  const dropping = (log: unknown[]) =>
    workflow('dropping', { sessionPausePolicy: 'warn_drop', external: [Ping, Item], idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_, ctx) => void ctx.set('live', () => 1))
      .step('drop', { accepts: Ping }, (_, ctx) => {
        log.push(ctx.state.delete('live'), ctx.state.has('live'), ctx.state.get('live'))
      })
      .step('read', { accepts: Item }, (event, ctx) => {
        if (event.n === 2) ctx.set('live', 2)
        if (event.n === 3) ctx.state.delete('live')
        if (event.n === 1) log.push(ctx.state.get('live'))
      })

  async function left() {
    const handler = dropping([]).run()
    await turns()
    const snapshot = asText(await handler.pause())
    handler.abort()
    expect(snapshot.context.lost.state).toMatchObject([{ step: 'begin' }])
    return snapshot
  }

  test('is told of when it is read, and gone once it is deleted', async () => {
    const log: unknown[] = []
    const flow = dropping(log)
    const handler = flow.resume(await left())
    await handler.sendEvent(Ping())
    await turns()
    expect(log).toEqual([false, false, undefined])
    handler.abort()
  })

  test('stays lost where the deletion failed, and is no more in snapshots where it was committed', async () => {
    const log: unknown[] = []
    const snapshot = await left()
    const retrying = workflow('dropping', { sessionPausePolicy: 'warn_drop', external: [Ping, Item], idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('drop', { accepts: Ping, retry: { attempts: 2 } }, (_, ctx) => {
        ctx.state.delete('live')
        if (ctx.attempt === 1) throw new Error('again')
        log.push(ctx.state.get('live'))
      })
      .step('read', { accepts: Item }, (_, ctx) => void log.push(ctx.state.get('live')))
    const lost = retrying.resume(snapshot)
    await lost.sendEvent(Item({ n: 1 }))
    const { cause } = (await rejection(lost.result())) as Error & { cause: SessionEntryLostError }
    expect(cause.code).toBe('session_entry_lost')
    const handler = retrying.resume(snapshot)
    await handler.sendEvent(Ping())
    await until(() => log.length === 1)
    expect(log).toEqual([undefined])
    await turns()
    expect(handler.snapshot().context.lost.state).toEqual([])
    handler.abort()
  })

  test('that was set again and deleted is deleted', async () => {
    const log: unknown[] = []
    const handler = dropping(log).resume(await left())
    for (const n of [2, 3, 1]) {
      await handler.sendEvent(Item({ n }))
      await turns()
    }
    expect(log).toEqual([undefined])
    handler.abort()
  })
})

test('a run that waits for nobody, as a migration may leave it, stalls', async () => {
  const asking = (version: string) =>
    workflow('asking', { version, migrate: { '1': (draft) => draft.mapEvents(InputRequestEvent.type, () => null) } })
      .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () => InputRequestEvent({ prompt: '?' }))
      .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent())
  const old = workflow('asking', { version: '1' })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () => InputRequestEvent({ prompt: '?' }))
    .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, () => StopEvent())
    .run()
  await until(() => old.status === 'waiting')
  const snapshot = asText(old.snapshot())
  expect(snapshot.value).toBe('waiting')
  expect(await rejection(asking('2').resume(snapshot).result())).toBeInstanceOf(StalledError)
  old.abort()
})

describe('an answer that a step gives', () => {
  test.each(['returned', 'sent', 'delayed'])('is %s: it closes its request', async (how) => {
    const flow = workflow('self')
      .step('ask', { accepts: StartEvent, emits: [InputRequestEvent, Item] }, () => [
        InputRequestEvent({ requestId: 'q', prompt: '?', timeout: '1h' }),
        Item({ n: 1 }),
      ])
      .step('item', { accepts: Item, emits: InputResponseEvent }, (_, ctx) => {
        const answer = InputResponseEvent({ requestId: 'q', response: 'by itself' })
        if (how === 'returned') return answer
        ctx.sendEvent(answer, how === 'delayed' ? { delay: 5 } : {})
        return null
      })
      .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, async ({ response }) => {
        await turns()
        pending.push(...handler.pendingInputs)
        return StopEvent({ result: response })
      })
    const pending: unknown[] = []
    const handler = flow.run(undefined, { history: true })
    await until(() => handler.pendingInputs.length === 0 && handler.status !== 'running')
    expect(await handler.result()).toBe('by itself')
    expect(pending).toEqual([])
  })
})

test('a request that is asked while the run pauses is shown at once, and may be answered before it resumes', async () => {
  const gate = createGate()
  const flow = workflow('pausing')
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, async () => {
      await gate.opened
      return InputRequestEvent({ requestId: 'q', prompt: '?', timeout: '1h' })
    })
    .step('answer', { accepts: InputResponseEvent, emits: StopEvent }, ({ response }) =>
      StopEvent({ result: response }),
    )
  const handler = flow.run()
  const asked = handler.stream().next()
  await turns()
  const pausing = handler.pause()
  await turns()
  expect(handler.status).toBe('pausing')
  gate.open()
  const snapshot = asText(await pausing)
  expect(handler.pendingInputs).toMatchObject([{ requestId: 'q' }])
  expect((await asked).value).toMatchObject({ requestId: 'q' })
  expect([snapshot.context.requests.length, snapshot.context.queue.length]).toEqual([1, 0])
  await handler.respondToInput('q', 'early')
  expect([handler.status, handler.pendingInputs]).toEqual(['paused', []])
  handler.resume()
  expect(await handler.result()).toBe('early')
  const resumed = flow.resume(snapshot)
  expect(resumed.pendingInputs).toMatchObject([{ requestId: 'q' }])
  await resumed.respondToInput('q', 'late')
  expect(await resumed.result()).toBe('late')
})

test('a process may die before the field stores have what its run begins with', async () => {
  const kept = new Map<string, unknown>()
  let saves = 0
  class Model extends BlazenState {
    static override meta = {
      storeBy: {
        weights: new CallbackFieldStore({
          save: async (key, value, { runId, version }) => {
            if (++saves === 1) await new Promise(() => {})
            kept.set(`${runId} ${key} ${version}`, value)
          },
          load: (key, { runId, version }) => {
            const at = `${runId} ${key} ${version}`
            if (!kept.has(at)) throw new Error(`There is no ${at}.`)
            return kept.get(at)
          },
        }),
      },
    }
    weights = [1, 2]
    rounds = 0
  }
  const gate = createGate()
  const flow = workflow('model', {
    classes: [Model],
    state: z.object({ model: z.custom<Model>().default(() => new Model()) }),
  })
    .step('train', { accepts: StartEvent, emits: Item }, (_, ctx) => {
      const model = ctx.state.model as Model
      model.rounds++
      ctx.set('model', model)
      return Item({ n: 1 })
    })
    .step('end', { accepts: Item, emits: StopEvent }, async (_, ctx) => {
      await gate.opened
      const { rounds, weights } = ctx.state.model as Model
      return StopEvent({ result: [rounds, weights] })
    })
  let skippedMs = 0
  const store = memoryStore({ now: () => Date.now() + skippedMs })
  const boot = () => createHost({ store, workflows: [flow], leaseMs: '1h', pollMs: 5, graceMs: 0 })
  const first = boot()
  const { runId } = await first.run(flow)
  await until(() => saves === 1)
  expect((await store.records(runId)).map(({ kind }) => kind)).toEqual(['started'])
  skippedMs += 7_200_000
  const second = boot()
  await until(async () => (await store.info(runId))?.seq === 2)
  skippedMs += 7_200_000
  // What is changed stays so, and what never was is loaded.
  const third = boot()
  await until(async () => (await store.info(runId))?.epoch === 3)
  gate.open()
  expect(await (await third.get(runId))?.result()).toEqual([1, [1, 2]])
  for (const host of [first, second, third]) await host.close()
})
