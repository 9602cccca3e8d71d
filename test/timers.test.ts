import {
  defineEvent,
  InputRequestError,
  InputRequestEvent,
  InputResponseEvent,
  RunTimeoutError,
  StartEvent,
  StepTimeoutError,
  StopEvent,
  type WorkflowHandler,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createActor, SimulatedClock, toPromise } from 'xstate'
import { rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})
const asText = (snapshot: WorkflowSnapshot): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))

const day = 86_400_000

/** Timers and the date are the test's; the event loop turns as ever. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 0 }))
afterEach(() => void vi.useRealTimers())

async function pass(ms: number): Promise<void> {
  await turns()
  await vi.advanceTimersByTimeAsync(ms)
  await turns()
}

/** Lets time pass in which no process is there: no timer fires. */
function passDead(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

/** The three ways in which a run goes on: as if nothing was, from the snapshot of a busy run, and from that of a paused one. */
const ways: Record<
  string,
  (
    handler: WorkflowHandler,
    resume: (snapshot: WorkflowSnapshot) => WorkflowHandler,
    deadMs: number,
  ) => Promise<WorkflowHandler>
> = {
  'that goes on': async (handler, _resume, deadMs) => {
    await pass(deadMs)
    return handler
  },
  'whose process died': async (handler, resume, deadMs) => {
    const snapshot = asText(handler.snapshot())
    handler.actor.stop()
    passDead(deadMs)
    return resume(snapshot)
  },
  'that was paused and resumed here': async (handler, _resume, deadMs) => {
    await handler.pause({ inFlight: 'abort' })
    expect(vi.getTimerCount()).toBe(0)
    await pass(deadMs)
    handler.resume()
    return handler
  },
  'that was paused and resumed elsewhere': async (handler, resume, deadMs) => {
    const snapshot = asText(await handler.pause({ inFlight: 'abort' }))
    handler.abort()
    expect(vi.getTimerCount()).toBe(0)
    passDead(deadMs)
    return resume(snapshot)
  },
}

describe.each(Object.entries(ways))('in a run %s', (way, goOn) => {
  const isPaused = way.includes('paused')

  test('an event that a step sends with a delay comes when it is due', async () => {
    const times: number[] = []
    const flow = workflow('delays')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.sendEvent(Job({ n: 1 }), { delay: '10s' }))
      .step('job', { accepts: Job }, () => {
        times.push(Date.now())
        return StopEvent({ result: 'done' })
      })
    const handler = flow.run()
    await pass(2_000)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 3_000)
    await pass(4_999)
    expect(times).toEqual([])
    await pass(1)
    expect(times).toEqual([10_000])
    expect(await going.result()).toBe('done')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('an event from outside with a delay comes when it is due; one that is overdue, at once', async () => {
    const heard: [number, number][] = []
    const flow = workflow('outside', { external: Job, idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, ({ n }) => void heard.push([n, Date.now()]))
    const handler = flow.run()
    await handler.sendEvent(Job({ n: 2 }), { delay: 9_000 })
    await handler.sendEvent(Job({ n: 1 }), { delay: 2_000 })
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 5_000)
    await pass(0)
    expect(heard).toEqual([[1, way === 'that goes on' ? 2_000 : 5_000]])
    await pass(4_000)
    expect(heard[1]).toEqual([2, 9_000])
    going.abort()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a retry comes when it is due, as the next attempt', async () => {
    const starts: [number, number][] = []
    const flow = workflow('retries').step(
      'begin',
      { accepts: StartEvent, retry: { attempts: 3, delay: '10s', factor: 2 } },
      (_event, ctx) => {
        starts.push([ctx.attempt, Date.now()])
        if (ctx.attempt < 3) throw new Error('again')
        return StopEvent({ result: 'done' })
      },
    )
    const handler = flow.run()
    await pass(4_000)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 2_000)
    await pass(4_000)
    await pass(20_000)
    expect(await going.result()).toBe('done')
    expect(starts).toEqual([
      [1, 0],
      [2, 10_000],
      [3, 30_000],
    ])
  })

  test('a retry that is overdue comes at the resume', async () => {
    const starts: number[] = []
    const flow = workflow('overdue').step(
      'begin',
      { accepts: StartEvent, retry: { attempts: 2, delay: '10s' } },
      (_event, ctx) => {
        starts.push(Date.now())
        if (ctx.attempt === 1) throw new Error('again')
        return StopEvent({ result: 'done' })
      },
    )
    const handler = flow.run()
    await pass(1_000)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 99_000)
    await pass(0)
    expect(await going.result()).toBe('done')
    expect(starts[1]).toBe(way === 'that goes on' ? 10_000 : 100_000)
  })

  test('the time of a step is that of an attempt: what runs again has all of it', async () => {
    const flow = workflow('step').step('begin', { accepts: StartEvent, timeout: 1_000 }, never)
    const handler = flow.run()
    await pass(600)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 100)
    const left = way === 'that goes on' ? 300 : 1_000
    await pass(left - 1)
    expect(going.status).toBe('running')
    await pass(1)
    expect(await rejection(going.result())).toBeInstanceOf(StepTimeoutError)
  })

  test('the time of the run is what had run; not that in which it was paused, or its process away', async () => {
    const flow = workflow('run', { timeout: 1_000 }).step('begin', { accepts: StartEvent }, never)
    const handler = flow.run()
    await pass(600)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 300)
    const left = way === 'that goes on' ? 100 : 400
    await pass(left - 1)
    expect(going.status).toBe('running')
    await pass(1)
    expect(await rejection(going.result())).toBeInstanceOf(RunTimeoutError)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a request is given up when it is due: its default is the answer', async () => {
    const flow = workflow('default')
      .step('begin', { accepts: StartEvent }, () =>
        InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '10s', default: 'default' }),
      )
      .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: [response, Date.now()] }))
    const handler = flow.run()
    await pass(2_000)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 3_000)
    await pass(4_999)
    expect(going.status).toBe('waiting')
    expect(going.pendingInputs).toHaveLength(1)
    await pass(1)
    expect(await going.result()).toEqual(['default', 10_000])
  })

  test('a request without a default fails the run when it is due, and at the resume when it is overdue', async () => {
    for (const deadMs of [3_000, 30_000]) {
      const start = Date.now()
      const flow = workflow('no default')
        .step('begin', { accepts: StartEvent }, () =>
          InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '10s' }),
        )
        .step('hear', { accepts: InputResponseEvent }, () => StopEvent())
      const handler = flow.run()
      await pass(2_000)
      const going = await goOn(handler, (snapshot) => flow.resume(snapshot), deadMs)
      await pass(Math.max(0, start + 10_000 - Date.now()))
      expect(await rejection(going.result())).toBeInstanceOf(InputRequestError)
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  test('a request that was answered is not given up any more', async () => {
    const flow = workflow('answered', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, () =>
        InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '10s', default: 'default' }),
      )
      .step('hear', { accepts: InputResponseEvent }, ({ response }, ctx) => {
        ctx.state.update<unknown[]>('heard', (heard = []) => [...heard, response])
      })
    const handler = flow.run()
    await pass(2_000)
    await handler.respondToInput('a', 'yes')
    await pass(0)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 30_000)
    await pass(10_000)
    expect(going.snapshot().context).toMatchObject({ state: [['heard', { json: ['yes'] }]], timers: [], requests: [] })
    going.abort()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a delay may be longer than the timers of JavaScript count', async () => {
    const times: number[] = []
    const flow = workflow('months')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.sendEvent(Job({ n: 1 }), { delay: '100d' }))
      .step('job', { accepts: Job }, () => {
        times.push(Date.now())
        return StopEvent({ result: 'done' })
      })
    const handler = flow.run()
    await pass(10 * day)
    const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 10 * day)
    await pass(80 * day - 1)
    expect(times).toEqual([])
    await pass(1)
    expect(times).toEqual([100 * day])
    expect(await going.result()).toBe('done')
  })

  if (!isPaused) {
    test('many delays at once come in their order', async () => {
      const heard: number[] = []
      const flow = workflow('many', { idle: 'wait' })
        .step('begin', { accepts: StartEvent }, (_event, ctx) => {
          for (const n of [3, 1, 2, 5, 4]) ctx.sendEvent(Job({ n }), { delay: n * 1_000 })
        })
        .step('job', { accepts: Job }, ({ n }) => void heard.push(n))
      const handler = flow.run()
      await pass(500)
      const going = await goOn(handler, (snapshot) => flow.resume(snapshot), 100)
      await pass(10_000)
      expect(heard).toEqual([1, 2, 3, 4, 5])
      going.abort()
    })
  }
})

test('a run that waits for a person has its time stand still, also through a snapshot', async () => {
  const flow = workflow('waits', { timeout: 1_000 })
    .step('begin', { accepts: StartEvent }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return InputRequestEvent({ requestId: 'a', prompt: '?' })
    })
    .step('hear', { accepts: InputResponseEvent }, never)
  const handler = flow.run()
  await pass(300)
  await pass(5_000)
  const snapshot = asText(handler.snapshot())
  expect(snapshot.context.timeLeftMs).toBe(700)
  handler.abort()
  const resumed = flow.resume(snapshot)
  await pass(5_000)
  expect(resumed.status).toBe('waiting')
  await resumed.respondToInput('a', 'yes')
  await pass(699)
  expect(resumed.status).toBe('running')
  await pass(1)
  expect(await rejection(resumed.result())).toBeInstanceOf(RunTimeoutError)
})

test('the time of a run is counted in each snapshot of it: often resumed, it is not longer', async () => {
  const flow = workflow('often', { timeout: 1_000 }).step('begin', { accepts: StartEvent }, never)
  let handler = flow.run()
  for (let n = 0; n < 3; n++) {
    await pass(300)
    const snapshot = asText(handler.snapshot())
    expect(snapshot.context.timeLeftMs).toBe(1_000 - 300 * (n + 1))
    handler.abort()
    handler = flow.resume(snapshot)
  }
  await pass(100)
  expect(await rejection(handler.result())).toBeInstanceOf(RunTimeoutError)
})

test('a delayed event that was sent early is not sent again with the attempt that follows', async () => {
  const heard: number[] = []
  const flow = workflow('once', { idle: 'wait' })
    .step('begin', { accepts: StartEvent, retry: { attempts: 3, delay: 100 } }, (_event, ctx) => {
      ctx.sendEvent(Job({ n: ctx.attempt }), { delay: '1s' })
      if (ctx.attempt < 3) throw new Error('again')
    })
    .step('job', { accepts: Job }, ({ n }) => void heard.push(n))
  const handler = flow.run()
  await pass(50)
  const snapshot = asText(handler.snapshot())
  handler.abort()
  const resumed = flow.resume(snapshot)
  await pass(10_000)
  expect(heard).toEqual([1])
  resumed.abort()
})

test('all times are those of the clock of the actor system', async () => {
  const clock = new SimulatedClock()
  clock.increment(5_000)
  const flow = workflow('clock')
    .step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.sendEvent(Job({ n: 1 }), { delay: 1_000 }))
    .step('job', { accepts: Job }, () => StopEvent({ result: 'done' }))
  const first = createActor(flow.machine, { clock })
  first.start()
  await turns()
  const snapshot = JSON.parse(JSON.stringify(first.getPersistedSnapshot()))
  expect(snapshot.context.timers).toMatchObject([{ dueAt: 6_000 }])
  first.stop()
  const second = createActor(flow.machine, { snapshot, clock })
  second.start()
  clock.increment(999)
  await turns()
  expect(second.getSnapshot().status).toBe('active')
  clock.increment(1)
  expect(await toPromise(second)).toBe('done')
  expect(vi.getTimerCount()).toBe(0)
})

test('a run that has ended, however, leaves no timer', async () => {
  const flow = (end: 'stop' | 'throw' | 'wait') =>
    workflow('ends', { timeout: '1h' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(Job({ n: 1 }), { delay: '1h' })
        return [
          Job({ n: 2 }),
          Job({ n: 3 }),
          InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '1h', default: 1 }),
        ]
      })
      .step('job', { accepts: Job, timeout: '1h', retry: { attempts: 2, delay: '1h' } }, async ({ n }) => {
        if (n === 2) throw new Error('again')
        return never()
      })
      .step('end', { accepts: Job, retry: { attempts: 1 } }, async ({ n }) => {
        await turns(1)
        if (n !== 3) return null
        if (end === 'throw') throw new Error('no')
        return end === 'stop' ? StopEvent({ result: 1 }) : never()
      })
      .step('hear', { accepts: InputResponseEvent }, () => null)
  for (const end of ['stop', 'throw', 'wait'] as const) {
    const handler = flow(end).run()
    const result = handler.result().catch(() => {})
    if (end === 'wait') {
      await turns()
      expect(vi.getTimerCount()).toBeGreaterThan(3)
      handler.abort()
    }
    await result
    expect(vi.getTimerCount(), end).toBe(0)
  }
})
