import { readFile } from 'node:fs/promises'
import {
  type Clock,
  createHost,
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  memoryStore,
  RunTimeoutError,
  StartEvent,
  StepTimeoutError,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { sqliteStore } from 'blazen-xstate/sqlite'
import { virtualTime } from 'blazen-xstate/testing'
import { describe, expect, test, vi } from 'vitest'
import { createActor, toPromise } from 'xstate'
import { rejection } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})
const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]

/** Fails twice, an hour apart, then sends an event that comes three days later. */
const patient = (time: { now(): number }, seen: unknown[] = []) =>
  workflow('patient')
    .step('begin', { accepts: StartEvent, retry: { attempts: 3, delay: '1h', factor: 1 } }, (_event, ctx) => {
      seen.push(['begin', ctx.attempt, time.now()])
      if (ctx.attempt < 3) throw new Error('busy')
      ctx.sendEvent(Job({ n: 1 }), { delay: '3d' })
    })
    .step('job', { accepts: Job }, () => {
      seen.push(['job', time.now()])
      return StopEvent({ result: 'done' })
    })

const asks = workflow('asks', { timeout: '1h' })
  .step('begin', { accepts: StartEvent }, () =>
    InputRequestEvent({ requestId: 'ok', prompt: '?', timeout: '2d', default: 'nobody' }),
  )
  .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))

describe('on virtual time', () => {
  test('retries and delays of days pass in milliseconds, each when it is due', async () => {
    const time = virtualTime({ start: 0 })
    const seen: unknown[] = []
    const handler = patient(time, seen).run(undefined, { clock: time.clock })
    await time.advance(hour - 1)
    expect(seen).toEqual([['begin', 1, 0]])
    await time.advance('1ms')
    expect(seen).toHaveLength(2)
    expect(time.due).toEqual([2 * hour])
    await time.advance('30d')
    expect(seen.slice(2)).toEqual([
      ['begin', 3, 2 * hour],
      ['job', 2 * hour + 3 * day],
    ])
    expect(time.now()).toBe(hour + 30 * day)
    expect(await handler.result()).toBe('done')
    expect(time.due).toEqual([])
  })

  test('a run goes on from timer to timer until it has ended', async () => {
    const time = virtualTime({ start: new Date(0) })
    const handler = patient(time).run(undefined, { clock: time.clock })
    expect(await time.runUntil(handler)).toBe('completed')
    expect(time.now()).toBe(2 * hour + 3 * day)
  })

  test('a promise is waited for, and gives or throws what it does', async () => {
    const time = virtualTime()
    expect(await time.runUntil(patient(time).run(undefined, { clock: time.clock }).result())).toBe('done')
    const endless = workflow('endless').step('begin', { accepts: StartEvent, timeout: '2h' }, never)
    const failing = time.runUntil(endless.run(undefined, { clock: time.clock }).result())
    expect(await rejection(failing)).toBeInstanceOf(StepTimeoutError)
  })

  test('a condition is waited for', async () => {
    const time = virtualTime({ start: 0 })
    const seen: unknown[] = []
    patient(time, seen).run(undefined, { clock: time.clock })
    await time.runUntil(() => seen.length === 2)
    expect(time.now()).toBe(hour)
    expect(await time.skip()).toBe(true)
    expect(time.now()).toBe(2 * hour)
  })

  test('a function that never returns runs into the time of its step, or of its run', async () => {
    for (const [options, step, Timeout] of [
      [{}, { timeout: '30m' }, StepTimeoutError],
      [{ timeout: '30m' }, {}, RunTimeoutError],
    ] as const) {
      const time = virtualTime({ start: 0, patience: 20 })
      const flow = workflow('slow', options).step('begin', { accepts: StartEvent, ...step }, never)
      const handler = flow.run(undefined, { clock: time.clock })
      await time.advance(30 * minute - 1)
      expect(handler.status).toBe('running')
      await time.advance(1)
      expect(await rejection(handler.result())).toBeInstanceOf(Timeout)
    }
  })

  test('a run that waits for a person is left to the test; then its request runs out of time', async () => {
    const time = virtualTime()
    const [first, second] = [1, 2].map(() => asks.run(undefined, { clock: time.clock })) as [
      ReturnType<typeof asks.run>,
      ReturnType<typeof asks.run>,
    ]
    expect(await time.runUntil(first)).toBe('waiting')
    await first.respondToInput('ok', 'me')
    expect(await first.result()).toBe('me')
    expect(await time.runUntil(second.result())).toBe('nobody')
  })

  test('time does not pass over functions that wait for the world outside', async () => {
    const time = virtualTime({ start: 0 })
    const flow = workflow('reads')
      .step('begin', { accepts: StartEvent, timeout: '1s' }, async () => {
        const text = await readFile(new URL(import.meta.url), 'utf8')
        return Job({ n: text.length })
      })
      .step('job', { accepts: Job }, ({ n }) => StopEvent({ result: n > 0 }))
    const handler = flow.run(undefined, { clock: time.clock })
    await time.advance('1d')
    expect(await handler.result()).toBe(true)
  })

  test('a function may sleep on it, and is woken by its signal', async () => {
    const time = virtualTime({ start: 0 })
    const times: number[] = []
    const flow = workflow('sleeps').step(
      'begin',
      { accepts: StartEvent, timeout: '1h', retry: { attempts: 2 } },
      async (_event, ctx) => {
        await time.sleep(ctx.attempt === 1 ? '2h' : '10m', ctx).finally(() => times.push(time.now()))
        return StopEvent({ result: ctx.attempt })
      },
    )
    expect(await time.runUntil(flow.run(undefined, { clock: time.clock }).result())).toBe(2)
    expect(times).toEqual([hour, hour + 10 * minute])
    expect(time.due).toEqual([])
  })

  test('a run that is resumed from its snapshot goes on at the time of its new clock', async () => {
    const first = virtualTime({ start: 0 })
    const flow = patient(first)
    const handler = flow.run(undefined, { clock: first.clock })
    await first.advance('150m')
    const snapshot = JSON.parse(JSON.stringify(handler.snapshot()))
    handler.abort()
    const second = virtualTime({ start: 10 * hour })
    const resumed = flow.resume(snapshot, { clock: second.clock })
    await second.runUntil(resumed.result())
    expect(second.now()).toBe(2 * hour + 3 * day)
  })

  test('XState takes the clock as well', async () => {
    const time = virtualTime()
    const actor = createActor(patient(time).machine, { clock: time.clock })
    const done = toPromise(actor)
    actor.start()
    expect(await time.runUntil(done)).toBe('done')
  })

  test('it stays what it is beside the fake timers of the test runner', async () => {
    const time = virtualTime({ start: 0 })
    vi.useFakeTimers()
    try {
      const handler = patient(time).run(undefined, { clock: time.clock })
      await vi.waitFor(() => time.runUntil(handler))
      expect(handler.status).toBe('completed')
    } finally {
      vi.useRealTimers()
    }
  })

  test('what waits in vain is told so, and what for', async () => {
    const time = virtualTime({ patience: 20 })
    const handler = asks.run(undefined, { clock: time.clock, runId: 'r' })
    await time.runUntil(handler)
    await handler.pause()
    const stuck = workflow('stuck').step('begin', { accepts: StartEvent }, never)
    const other = virtualTime({ patience: 20 })
    const endless = stuck.run(undefined, { clock: other.clock, runId: 's' })
    const errors = await Promise.all([
      rejection(time.runUntil(new Promise(() => {}))),
      rejection(other.runUntil(endless)),
    ])
    expect(String(errors[0])).toContain('Run r is paused: nobody has answered "ok".')
    expect(String(errors[1])).toContain('Run s is running: step "begin" has not returned.')
    endless.abort()
    handler.abort()
  })
})

describe.each([
  ['in memory', () => memoryStore()],
  ['in SQLite', () => sqliteStore(':memory:')],
])('on a host whose store is %s', (_name, open) => {
  test('the time of its runs is virtual, also in their records', async () => {
    const time = virtualTime({ start: 0 })
    const seen: unknown[] = []
    const flow = patient(time, seen)
    const store = open()
    await using host = createHost({ store, workflows: [flow], clock: time.clock })
    const handler = await host.run(flow)
    await time.advance('30m')
    expect(seen).toHaveLength(1)
    expect(await time.runUntil(handler.result())).toBe('done')
    const times = (await handler.history()).map(({ kind, at }) => [kind, at])
    expect(times).toEqual([
      ['started', 0],
      ['retried', 0],
      ['retried', hour],
      ['sent', 2 * hour],
      ['settled', 2 * hour],
      ['fired', 2 * hour + 3 * day],
      ['settled', 2 * hour + 3 * day],
      ['completed', 2 * hour + 3 * day],
    ])
  })

  test('a run that was given up is gone on with by another host, at the time when it is due', async () => {
    const time = virtualTime({ start: 0 })
    const seen: unknown[] = []
    const flow = patient(time, seen)
    const store = open()
    const first = createHost({ store, workflows: [flow], clock: time.clock })
    const { runId } = await first.run(flow)
    await time.advance('90m')
    await first.close()
    await using second = createHost({ store, workflows: [flow], clock: time.clock, pollMs: 5 })
    const run = await second.get(runId)
    expect(await time.runUntil(run?.result() ?? Promise.reject(new Error('no run')))).toBe('done')
    expect(seen).toEqual([
      ['begin', 1, 0],
      ['begin', 2, hour],
      ['begin', 3, 2 * hour],
      ['job', 2 * hour + 3 * day],
    ])
  })

  test('an event that is sent to a run of another process is due by the clock', async () => {
    const time = virtualTime({ start: 0 })
    const heard: number[] = []
    const flow = workflow('hears', { external: Job, idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, () => {
        heard.push(time.now())
        return StopEvent({ result: 'heard' })
      })
    const store = open()
    await using owner = createHost({ store, workflows: [flow], clock: time.clock, pollMs: 5 })
    await using other = createHost({ store, workflows: [flow], clock: time.clock, recover: false })
    const handler = await owner.run(flow)
    await time.advance('1h')
    await other.sendEvent(handler.runId, Job({ n: 1 }), { delay: '2h' })
    await time.runUntil(handler.result())
    expect(heard).toEqual([3 * hour])
  })

  test('a run that was parked is back when it is due', async () => {
    const time = virtualTime({ start: 0 })
    const store = open()
    const first = createHost({ store, workflows: [asks], clock: time.clock })
    const { runId } = await first.run(asks)
    await time.advance(0)
    await first.close()
    const armed: number[] = []
    const clock: Clock = {
      ...time.clock,
      setTimeout: (fn, delayMs) => {
        armed.push(delayMs)
        return time.clock.setTimeout(fn, delayMs)
      },
    }
    await using second = createHost({ store, workflows: [asks], clock, pollMs: 5 })
    // It is recovered, waits for a person, is nobody's to hold, and leaves memory with one timer in its place.
    await vi.waitFor(() => expect(armed).toEqual([2 * day, 2 * day]), 10_000)
    expect(time.due).toEqual([2 * day])
    await time.advance('2d')
    const run = await second.get(runId)
    expect(await run?.result()).toBe('nobody')
  })
})
