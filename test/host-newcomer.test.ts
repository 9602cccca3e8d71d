import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  createHost,
  defineEvent,
  type HostOptions,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  StartEvent,
  StopEvent,
  type Store,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { sqliteStore } from '../src/sqlite/index.ts'
import { createGate, rejection, until } from './waiting.ts'

const Later = defineEvent('Later')

const approval = workflow('approval', { requests: { yesOrNo: { response: z.enum(['yes', 'no']) } } })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'approve', prompt: 'Ship it?', kind: 'yesOrNo' }),
  )
  .step('ship', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))

function hostOn(store: Store, options: Partial<HostOptions> = {}) {
  return createHost({ store, workflows: [approval], pollMs: 5, graceMs: 100, ...options })
}

/** What the process was warned of meanwhile. */
async function warningsOf(fn: () => Promise<void>): Promise<{ code: string | undefined; message: string }[]> {
  const warnings: { code: string | undefined; message: string }[] = []
  const listener = (warning: Error & { code?: string }) =>
    void warnings.push({ code: warning.code, message: warning.message })
  process.on('warning', listener)
  try {
    await fn()
    await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.off('warning', listener)
  }
  return warnings
}

describe('a result that is waited for', () => {
  const endless = workflow('endless').step(
    'sleep',
    { accepts: StartEvent, emits: StopEvent },
    () => new Promise<never>(() => {}),
  )

  test('rejects when the host is closed before the run has ended', async () => {
    const store = memoryStore()
    await using first = hostOn(store)
    await first.run(approval, {}, { runId: 'a' })
    const result = await (async () => {
      await using host = hostOn(store, { recover: false })
      const run = await host.get('a')
      return { of: run?.result() }
    })()
    expect(await rejection(result.of as Promise<unknown>)).toMatchObject({
      code: 'host_closed',
      message: expect.stringContaining('before run a had ended'),
    })
  })

  test('rejects at once, however seldom the host polls, and where the run was in its memory', async () => {
    const store = memoryStore()
    const owner = createHost({ store, workflows: [endless], graceMs: 0 })
    const other = createHost({ store, workflows: [endless], recover: false, pollMs: '1h' })
    await owner.run(endless, {}, { runId: 'a' })
    const polled = (await other.get('a'))?.result() as Promise<unknown>
    const owned = (await owner.get('a'))?.result() as Promise<unknown>
    const refusals = Promise.all([rejection(polled), rejection(owned)])
    await new Promise((resolve) => setTimeout(resolve, 10))
    await other.close()
    await owner.close()
    expect(await refusals).toMatchObject([{ code: 'host_closed' }, { code: 'host_closed' }])
  })

  test('of a run that has ended is still given', async () => {
    const host = hostOn(memoryStore())
    const handler = await host.run(approval, {}, { runId: 'a', onInput: () => 'yes' })
    await handler.result()
    const run = await host.get('a')
    await host.close()
    expect(await run?.result()).toBe('yes')
  })
})

describe('an answer to a request that is not open', () => {
  test('is refused, with those that are, while the run waits: here, from another process, and of nobody', async () => {
    const store = memoryStore()
    const owner = hostOn(store)
    await using other = hostOn(store, { recover: false })
    await owner.run(approval, {}, { runId: 'a' })
    await until(async () => (await store.info('a'))?.status === 'waiting')
    const typos = async () => [
      await rejection(owner.respondToInput('a', 'approv', 'yes')),
      await rejection((await owner.get('a'))?.respondToInput('approv', 'yes') as Promise<void>),
      await rejection(other.respondToInput('a', 'approv', 'yes')),
    ]
    const refusal = { name: 'InputRequestError', message: expect.stringContaining('Open are: "approve"') }
    expect(await typos()).toMatchObject([refusal, refusal, refusal])
    await owner.close()
    expect(await typos()).toMatchObject([refusal, refusal, refusal])
    expect(await store.inbox('a')).toEqual([])
    await other.respondToInput('a', 'approve', 'yes')
    await using _heir = hostOn(store)
    expect(await (await other.get('a'))?.result()).toBe('yes')
  })

  test('waits for its question where the run is at work, or an event is on its way to it', async () => {
    const store = memoryStore()
    const gate = createGate()
    const asksTwice = workflow('asksTwice', { external: Later })
      .step('work', { accepts: StartEvent, emits: InputRequestEvent }, async () => {
        await gate.opened
        return InputRequestEvent({ requestId: 'one', prompt: '1?' })
      })
      .step('later', { accepts: Later, emits: InputRequestEvent }, () =>
        InputRequestEvent({ requestId: 'two', prompt: '2?' }),
      )
      .step('answered', { accepts: InputResponseEvent, emits: StopEvent }, (event) =>
        event.requestId === 'two' ? StopEvent({ result: event.response }) : [],
      )
    await using owner = createHost({ store, workflows: [asksTwice], pollMs: 5 })
    await using other = createHost({ store, workflows: [asksTwice], recover: false })
    const handler = await owner.run(asksTwice, {}, { runId: 'a' })
    await other.respondToInput('a', 'none', 1)
    await until(async () => (await store.inbox('a')).length === 1)
    gate.open()
    await until(async () => (await store.info('a'))?.status === 'waiting')
    await handler.sendEvent(Later(), { delay: 50 })
    await other.respondToInput('a', 'two', 2)
    expect(await handler.result()).toBe(2)
  })
})

describe('what cannot be written down', () => {
  class Socket {
    readonly #open = true
    get isOpen() {
      return this.#open
    }
  }

  test('fails the run, and says so', async () => {
    const ends = workflow('ends').step('end', { accepts: StartEvent, emits: StopEvent }, () =>
      StopEvent({ result: new Socket() }),
    )
    const sets = workflow('sets').step('set', { accepts: StartEvent, emits: StopEvent }, (_, ctx) => {
      ctx.state.set('fn', () => 1)
      return StopEvent({ result: 1 })
    })
    await using host = createHost({ store: memoryStore(), workflows: [ends, sets] })
    for (const flow of [ends, sets]) {
      const handler = await host.run(flow as typeof ends, {}, { runId: flow.name })
      const error = (await rejection(handler.result())) as Error
      expect(error.name).toBe('SessionNotSerializableError')
      expect(error.message).toContain(`What a step of run ${flow.name} has done cannot be written down`)
      expect(error.message).toContain('So the run fails.')
      expect(error.message).not.toContain('undisturbed')
      expect(handler.status).toBe('failed')
    }
  })

  test('is refused at the start of a run, and from outside', async () => {
    await using host = hostOn(memoryStore())
    expect(await rejection(host.run(approval, { fn: () => 1 }))).toMatchObject({
      name: 'SessionNotSerializableError',
      message: expect.stringContaining('It was not started.'),
    })
    const listens = workflow('listens', { external: Later, idle: 'wait' })
      .step('start', { accepts: StartEvent }, () => [])
      .step('later', { accepts: Later, emits: StopEvent }, () => StopEvent({ result: 1 }))
    await using other = createHost({ store: memoryStore(), workflows: [listens] })
    const handler = await other.run(listens)
    expect(await rejection(handler.sendEvent({ ...Later(), fn: () => 1 } as never))).toMatchObject({
      message: expect.stringMatching(/^What was sent to run .* goes on undisturbed\.$/s),
    })
  })
})

test("a fork's edited start event is checked against the workflow's input schema", async () => {
  const orders = workflow('orders', { input: z.object({ sku: z.string(), count: z.number().default(1) }) }).step(
    'order',
    { accepts: StartEvent, emits: StopEvent },
    (event) => StopEvent({ result: `${event.count} of ${event.sku}` }),
  )
  await using host = createHost({ store: memoryStore(), workflows: [orders] })
  const handler = await host.run(orders, { sku: 'a' }, { runId: 'b' })
  await handler.result()
  expect(await rejection(host.fork('b', { at: 1, edit: { event: { type: StartEvent.type, sku: 1 } } }))).toMatchObject({
    name: 'EventValidationError',
    message: expect.stringContaining('sku'),
  })
  const fork = await host.fork('b', { at: 1, edit: { event: { type: StartEvent.type, sku: 'z' } } })
  expect(await fork.result()).toBe('1 of z')
})

test('a handler says that its run was handed over when its host was closed', async () => {
  const host = hostOn(memoryStore())
  const handler = await host.run(approval, {}, { runId: 'a' })
  await until(() => handler.status === 'waiting')
  await host.close()
  expect(await rejection(handler.result())).toMatchObject({
    name: 'RunOwnershipLostError',
    message: 'Run a was handed over when its host was closed: any host on the store goes on with it.',
  })
})

test('a wrong answer from another process is a warning of its own, each time, and no failure of the store', async () => {
  const store = memoryStore()
  const gate = createGate()
  const slow = workflow('slow', { requests: { yesOrNo: { response: z.enum(['yes', 'no']) } } })
    .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, async () => {
      await gate.opened
      return InputRequestEvent({ requestId: 'approve', prompt: 'Ship it?', kind: 'yesOrNo' })
    })
    .step('ship', { accepts: InputResponseEvent, emits: StopEvent }, (event) => StopEvent({ result: event.response }))
  const failures: unknown[] = []
  const warnings = await warningsOf(async () => {
    await using owner = createHost({
      store,
      workflows: [slow],
      pollMs: 5,
      onStoreError: (error) => failures.push(error),
    })
    await using other = createHost({ store, workflows: [slow], recover: false })
    for (const runId of ['a', 'b']) {
      await owner.run(slow, {}, { runId })
      await other.respondToInput(runId, 'approve', 'perhaps')
    }
    gate.open()
    await until(async () => (await Promise.all(['a', 'b'].map((id) => store.inbox(id)))).flat().length === 0)
  })
  expect(failures).toEqual([])
  expect(warnings).toEqual(
    ['a', 'b'].map((id) => ({ code: 'BLAZEN_LETTER_REFUSED', message: expect.stringContaining(`Run ${id} `) })),
  )
})

test('what cannot be an option is refused with the repair', async () => {
  const invalid = (says: string) =>
    expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(says) })
  expect(() => createHost({ workflows: [approval] } as never)).toThrow(invalid('memoryStore()'))
  expect(() => createHost({ store: memoryStore() } as never)).toThrow(invalid('`workflows`'))
  await using host = hostOn(memoryStore())
  expect(await rejection(host.list({ status: 'wating' }))).toEqual(invalid('running, waiting, pausing'))
  expect(await rejection(host.run(approval, {}, { runId: '' }))).toEqual(invalid('runId'))
})

describe('a store', () => {
  const folder = mkdtempSync(join(tmpdir(), 'blazen-newcomer-'))

  test('on a file that is no database, or in a folder that is not there, names the path', () => {
    const text = join(folder, 'notes.txt')
    writeFileSync(
      text,
      'These are only notes, and no database, though they are long enough to be looked at. '.repeat(20),
    )
    expect(() => sqliteStore(text)).toThrow(
      expect.objectContaining({ name: 'StoreError', message: expect.stringContaining(text) }),
    )
    const missing = join(folder, 'none', 'runs.db')
    expect(() => sqliteStore(missing)).toThrow(
      expect.objectContaining({
        name: 'StoreError',
        message: expect.stringMatching(/none\/runs\.db.*Create the folder/),
      }),
    )
  })

  test('is closed with its block', async () => {
    const stores: Store[] = []
    {
      await using memory = memoryStore()
      await using sqlite = sqliteStore(join(folder, 'runs.db'))
      stores.push(memory, sqlite)
    }
    for (const store of stores) expect(await rejection(store.info('a'))).toMatchObject({ code: 'store_closed' })
  })
})

test('a handler is a line on the console', async () => {
  await using host = hostOn(memoryStore())
  const handler = await host.run(approval, {}, { runId: 'a' })
  await until(() => handler.status === 'waiting')
  expect(inspect(handler)).toBe("WorkflowHandler { runId: 'a', status: 'waiting' }")
})
