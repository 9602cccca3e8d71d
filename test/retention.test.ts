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
  type StoredRecord,
  workflow,
} from 'blazen-xstate'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lastBefore } from '../src/retention.ts'
import { rejection } from './waiting.ts'

const Fill = defineEvent<{ n: number }>('Fill')

/** Lives long: each event leaves 40,000 characters in a record, so that every second or third is followed by a base. */
const filling = workflow('filling', { external: Fill })
  .step('ask', { accepts: StartEvent, emits: InputRequestEvent }, () =>
    InputRequestEvent({ requestId: 'q', prompt: '?' }),
  )
  .step('fill', { accepts: Fill }, ({ n }, ctx) => {
    ctx.set('last', String(n).repeat(40_000))
    ctx.set('sum', ctx.get<number>('sum', 0) + n)
  })
  .step('end', { accepts: InputResponseEvent, emits: StopEvent }, (_, ctx) => StopEvent({ result: ctx.get('sum') }))

async function until(holds: () => unknown): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 4_000) throw new Error('It did not come to pass.')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

async function fill(store: Store, options: Partial<HostOptions>) {
  const host = createHost({ store, workflows: [filling], pollMs: 5, graceMs: 100, ...options })
  const handler = await host.run(filling)
  await until(() => handler.status === 'waiting')
  for (let n = 1; n <= 9; n++) {
    await handler.sendEvent(Fill({ n }))
    await until(async () => handler.status === 'waiting')
    await new Promise((resolve) => setTimeout(resolve, 12))
  }
  return { host, handler }
}

test('records that are older than the retention are dropped when a base covers them, and the run goes on', async () => {
  const store = memoryStore()
  const { host, handler } = await fill(store, { historyRetention: 20 })
  const { runId } = handler
  await until(async () => ((await store.records(runId))[0]?.seq ?? 0) > 1)
  const { base } = (await store.load(runId)) ?? {}
  const history = await handler.history()
  expect(history[0]?.seq).toBeGreaterThan(1)
  expect(history[0]?.seq).toBeLessThanOrEqual((base?.seq ?? 0) + 1)
  expect(history.map(({ seq }) => seq - (history[0]?.seq ?? 0))).toEqual(history.map((_, at) => at))
  const fork = await host.fork(runId, { at: base?.seq ?? 0 })
  await until(() => fork.status === 'waiting')
  await fork.respondToInput('q', 1)
  expect(Number(await fork.result())).toBeGreaterThan(0)
  expect(await rejection(host.fork(runId, { at: 1 }))).toMatchObject({
    code: 'fork',
    message: expect.stringContaining(`expected a number from ${base?.seq} to`),
  })
  await host.close()
  const next = createHost({ store, workflows: [filling], pollMs: 5 })
  await next.respondToInput(runId, 'q', 1)
  expect(await (await next.get(runId))?.result()).toBe(45)
  await next.close()
})

test('without a retention, and within it, nothing is dropped', async () => {
  for (const historyRetention of [undefined, '1h'] as const) {
    const store = memoryStore()
    const { host, handler } = await fill(store, historyRetention === undefined ? {} : { historyRetention })
    await until(async () => (await store.load(handler.runId))?.base !== undefined)
    const records = await store.records(handler.runId)
    expect(records.map(({ seq }) => seq)).toEqual(records.map((_, at) => at + 1))
    await host.close()
  }
})

test('the last record before a time is found, whatever is dropped already', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(5), { minLength: 1, maxLength: 30 }),
      fc.nat(30),
      fc.nat(160),
      async (steps, dropped, time) => {
        let at = 0
        const records = steps.map((ms, index): StoredRecord => {
          at += ms
          return { seq: index + 1, at, kind: 'event', body: '{}', bytes: null }
        })
        const owner = { id: 'me', epoch: 1, leaseMs: 1_000 }
        const store = memoryStore()
        const run = { runId: 'run', workflow: 'w', version: null, idempotencyKey: null, status: 'running', records }
        await store.create(run, owner)
        const dropTo = Math.min(dropped, records.length)
        await store.compact('run', owner, { seq: records.length, body: '{}', bytes: null }, dropTo)
        const kept = records.filter((record) => record.seq > dropTo && record.at < time).at(-1)?.seq
        const found = await lastBefore(store, 'run', records.length, time)
        if (kept === undefined) expect(found).toBeLessThanOrEqual(dropTo)
        else expect(found).toBe(kept)
      },
    ),
  )
})
