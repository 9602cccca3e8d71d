import {
  type AnyWorkflow,
  createHost,
  defineEvent,
  type Host,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  type Store,
  StoreError,
  workflow,
} from 'blazen-xstate'
import { expect, test } from 'vitest'
import { bound, heldStore } from './held-store.ts'
import { createGate, rejection, turns, until } from './waiting.ts'

const Delete = defineEvent('Delete')

const asks = workflow('asks')
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'q', prompt: '?' }),
  )
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))

/** A step that waits until it is told, and notes its calls. */
function waits(name = 'waits', version = '1') {
  const gate = createGate<unknown>()
  const calls: string[] = []
  const options = { version, ...(version === '1' ? {} : { migrate: { '1': () => {} } }) }
  const flow = workflow(name, options).step('wait', { accepts: StartEvent, emits: StopEvent }, async (_, ctx) => {
    calls.push(ctx.runId)
    ctx.writeEventToStream({ type: 'waits' })
    return StopEvent({ result: await gate.opened })
  })
  return { flow, calls, gate }
}

/** Leaves runs in a store as a process that was closed does. */
async function leave(store: Store, flow: AnyWorkflow, runIds: readonly string[]): Promise<void> {
  const host = createHost({ store, workflows: [flow], recover: false, graceMs: 0 })
  for (const runId of runIds) await host.run(flow, {} as never, { runId, idempotencyKey: runId })
  await host.close()
}

/** What is warned of while a function is at it. */
async function warningsOf(fn: () => Promise<void>): Promise<string[]> {
  const warnings: string[] = []
  const listen = ({ message }: Error) => void warnings.push(message)
  process.on('warning', listen)
  try {
    await fn()
    await turns(5)
  } finally {
    process.off('warning', listen)
  }
  return warnings
}

const away = () => new StoreError('store_unavailable', 'The cable is out.', false)

test('a run that cannot be loaded does not keep the others from being claimed', async () => {
  const inner = memoryStore()
  await leave(inner, waits().flow, ['away', 'one', 'two', 'three', 'four', 'five'])
  const { flow, calls } = waits()
  const errors: unknown[] = []
  const store: Store = {
    ...bound(inner),
    load: (runId) => (runId === 'away' ? Promise.reject(away()) : inner.load(runId)),
  }
  await using host = createHost({
    ...{ store, workflows: [flow], pollMs: 5, graceMs: 0 },
    onStoreError: (error) => errors.push(error),
  })
  await until(() => calls.includes('five'))
  await leave(inner, waits().flow, ['late'])
  await until(() => calls.includes('late'))
  expect(String(errors[0])).toContain('The cable is out.')
  expect(calls).toEqual(['one', 'two', 'three', 'four', 'five', 'late'])
  expect((await host.list()).runs).toHaveLength(7)
}, 30_000)

test('without onStoreError, a store that fails for good is a warning, once', async () => {
  const store = heldStore()
  store.failWith(new StoreError('store_full', 'The disk is full.', true))
  const warnings = await warningsOf(async () => {
    await using host = createHost({ store, workflows: [asks], recover: false })
    for (let n = 0; n < 3; n++) {
      const handler = await host.run(asks)
      expect(await rejection(handler.result())).toMatchObject({ code: 'store_full' })
    }
  })
  expect(warnings.filter((message) => message.includes('The disk is full.'))).toHaveLength(1)
})

test('what onStoreError throws is a warning, and no matter of the runs', async () => {
  for (const fails of [
    () => {
      throw new Error('no logger')
    },
    () => Promise.reject(new Error('no logger')),
  ]) {
    const inner = memoryStore()
    let failures = 3
    const append: Store['append'] = (appends) => (failures-- > 0 ? Promise.reject(away()) : inner.append(appends))
    const warnings = await warningsOf(async () => {
      await using host = createHost({
        ...{ store: { ...bound(inner), append }, workflows: [asks], recover: false },
        onStoreError: fails,
      })
      const handler = await host.run(asks, {}, { onInput: () => 'yes' })
      expect(await handler.result()).toBe('yes')
    })
    expect(warnings.filter((message) => message.includes('no logger'))).toHaveLength(1)
  }
})

test('an answer is not lost when the store fails as it is looked at', async () => {
  const inner = memoryStore()
  let failures = 0
  const store: Store = {
    ...bound(inner),
    records: (...args) => (failures-- > 0 ? Promise.reject(away()) : inner.records(...args)),
  }
  await using host = createHost({ store, workflows: [asks], pollMs: 5, onStoreError: () => {} })
  const handler = await host.run(asks, {}, { runId: 'run' })
  await until(() => handler.status === 'waiting')
  await using other = createHost({ store: inner, workflows: [asks], recover: false })
  failures = 2
  await other.respondToInput('run', 'q', 'yes')
  expect(await handler.result()).toBe('yes')
}, 20_000)

test('a start that is tried again is not taken for that of a run which has ended under the same id', async () => {
  const inner = memoryStore()
  const { flow, calls, gate } = waits()
  gate.open('first')
  let failures = 0
  const store: Store = {
    ...bound(inner),
    create: (...args) => (failures-- > 0 ? Promise.reject(away()) : inner.create(...args)),
  }
  await using host = createHost({ store, workflows: [flow], recover: false, onStoreError: () => {} })
  expect(await (await host.run(flow, {}, { runId: 'run' })).result()).toBe('first')
  await until(async () => (await inner.info('run'))?.status === 'completed')
  failures = 1
  expect(await (await host.run(flow, {}, { runId: 'run' })).result()).toBe('first')
  expect(calls).toEqual(['run'])
})

test('a start whose answer was lost is that run', async () => {
  const inner = memoryStore()
  const { flow, calls, gate } = waits()
  gate.open('done')
  let failures = 1
  const create: Store['create'] = async (...args) => {
    const created = await inner.create(...args)
    if (failures-- > 0) throw away()
    return created
  }
  await using host = createHost({
    ...{ store: { ...bound(inner), create }, workflows: [flow], recover: false },
    onStoreError: () => {},
  })
  expect(await (await host.run(flow, {}, { runId: 'run' })).result()).toBe('done')
  expect(calls).toEqual(['run'])
})

test('a run that is claimed while its host is closed is not begun there, and is free', async () => {
  const inner = memoryStore()
  const { flow, calls } = waits()
  await leave(inner, flow, ['run'])
  const before = calls.length
  const [asked, answered] = [createGate(), createGate()]
  const store: Store = {
    ...bound(inner),
    claim: async (claim) => {
      const claimed = await inner.claim(claim)
      asked.open()
      await answered.opened
      return claimed
    },
  }
  const host = createHost({ store, workflows: [flow], recover: false, graceMs: 20 })
  const resuming = host.resume('run').catch(() => {})
  await asked.opened
  await host.close()
  answered.open()
  await resuming
  await turns(10)
  expect(calls).toHaveLength(before)
  expect(await inner.info('run')).toMatchObject({ owner: null })
})

test('a run that goes over to its new version while the host is closed is not begun there, and is free', async () => {
  const inner = memoryStore()
  await leave(inner, waits().flow, ['run'])
  const { flow, calls } = waits('waits', '2')
  const store = heldStore(inner)
  store.hold()
  const host = createHost({ store, workflows: [flow], graceMs: 20 })
  await until(() => store.appends > 0)
  await host.close()
  store.letGo()
  await turns(20)
  expect(calls).toEqual([])
  expect(await inner.info('run')).toMatchObject({ owner: null })
})

test('a host can be closed while a run is being started on a store that is away', async () => {
  const store: Store = { ...bound(memoryStore()), create: () => Promise.reject(away()) }
  const host = createHost({ store, workflows: [asks], graceMs: 50, onStoreError: () => {} })
  const starting = rejection(host.run(asks))
  await turns()
  await host.close()
  expect(await starting).toMatchObject({ code: 'store_unavailable' })
}, 20_000)

test('a start that the store answers after the close is not begun, and is left to the next host', async () => {
  const inner = memoryStore()
  const { flow, calls, gate } = waits()
  const answered = createGate()
  const create: Store['create'] = async (...args) => {
    const created = await inner.create(...args)
    await answered.opened
    return created
  }
  const host = createHost({ store: { ...bound(inner), create }, workflows: [flow], recover: false, graceMs: 20 })
  const starting = rejection(host.run(flow, {}, { runId: 'run' }))
  await host.close()
  answered.open()
  expect(await starting).toMatchObject({ code: 'host_closed' })
  expect(calls).toEqual([])
  gate.open('next')
  await using next = createHost({ store: inner, workflows: [flow], pollMs: 5 })
  expect(await (await next.get('run'))?.result()).toBe('next')
})

test('a step may delete its own run, which ends there', async () => {
  const store = memoryStore()
  let host: Host | undefined
  const flow = workflow('deletes')
    .step('begin', { accepts: StartEvent, emits: Delete }, () => Delete())
    .step('delete', { accepts: Delete, emits: StopEvent }, async (_, ctx) => {
      void host?.delete(ctx.runId)
      return new Promise<never>(() => {})
    })
  host = createHost({ store, workflows: [flow], recover: false })
  const handler = await host.run(flow)
  expect(await rejection(handler.result())).toMatchObject({ code: 'run_ownership_lost' })
  expect(await store.info(handler.runId)).toBeUndefined()
  await host.close()
})

test('an abort of a run whose end is still being written is done, and changes nothing', async () => {
  const inner = memoryStore()
  const gate = createGate()
  let appends = 0
  const append: Store['append'] = async (batch) => {
    if (++appends > 1) await gate.opened
    return inner.append(batch)
  }
  const flow = workflow('stalls').step('nothing', { accepts: StartEvent }, () => null)
  await using host = createHost({ store: { ...bound(inner), append }, workflows: [flow], recover: false })
  const handler = await host.run(flow)
  expect(await rejection(handler.result())).toMatchObject({ code: 'stalled' })
  await host.abort(handler.runId, 'late')
  gate.open()
  await until(async () => (await inner.info(handler.runId))?.status === 'failed')
})

test('with the key of a run that this host is just recovering, run gives the handler of that', async () => {
  const inner = memoryStore()
  const { flow, gate } = waits()
  await leave(inner, flow, ['run'])
  const [asked, answered] = [createGate(), createGate()]
  const store: Store = {
    ...bound(inner),
    load: async (runId) => {
      asked.open()
      await answered.opened
      return inner.load(runId)
    },
  }
  await using host = createHost({ store, workflows: [flow] })
  await asked.opened
  const starting = host.run(flow, {}, { idempotencyKey: 'run' })
  await turns(5)
  answered.open()
  const handler = await starting
  expect(handler.runId).toBe('run')
  gate.open('here')
  const types: string[] = []
  for await (const { type } of handler.stream()) types.push(type)
  expect(types).toEqual(['waits'])
  expect(await handler.result()).toBe('here')
})

test('with the key of a run that this host is just claiming, run gives the handler of that', async () => {
  const inner = memoryStore()
  const { flow, gate } = waits()
  await leave(inner, flow, ['run'])
  const [asked, answered] = [createGate(), createGate()]
  const store: Store = {
    ...bound(inner),
    claim: async (claim) => {
      const claimed = await inner.claim(claim)
      asked.open()
      if (claim.runIds === undefined) await answered.opened
      return claimed
    },
  }
  await using host = createHost({ store, workflows: [flow] })
  await asked.opened
  const starting = host.run(flow, {}, { idempotencyKey: 'run' })
  await turns(5)
  answered.open()
  const handler = await starting
  expect(handler.stream()).toBeDefined()
  gate.open('here')
  expect(await handler.result()).toBe('here')
})

test('the store knows that a run has completed when its result is there, and it is of one commit', async () => {
  const store = heldStore()
  await using host = createHost({ store, workflows: [asks], recover: false })
  const handler = await host.run(asks, {}, { onInput: () => 'yes' })
  expect(await handler.result()).toBe('yes')
  const history = (await handler.history()).map(({ kind }) => kind)
  expect(await store.info(handler.runId)).toMatchObject({ status: 'completed', seq: history.length })
  expect(history.slice(-2)).toEqual(['settled', 'completed'])
})

test('whoever waits for the result of a run that waits keeps it in memory', async () => {
  const inner = memoryStore()
  let loads = 0
  const load: Store['load'] = (runId) => {
    loads++
    return inner.load(runId)
  }
  await leave(inner, asks, ['run'])
  await using host = createHost({ store: { ...bound(inner), load }, workflows: [asks], pollMs: 5 })
  await until(async () => (await inner.info('run'))?.status === 'waiting')
  const result = (await host.get('run'))?.result()
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(loads).toBeLessThan(4)
  await host.respondToInput('run', 'q', 'yes')
  expect(await result).toBe('yes')
})
