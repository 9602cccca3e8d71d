import {
  DefinitionError,
  defineEvent,
  EventValidationError,
  InputRequestError,
  InputRequestEvent,
  InputResponseEvent,
  type Migration,
  RunAbortedError,
  RunFinishedError,
  registerClass,
  resource,
  SessionNotSerializableError,
  StartEvent,
  StopEvent,
  type WorkflowHandler,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createActor } from 'xstate'
import { z } from 'zod'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Note = defineEvent<{ text: string }>('Note')
const Live = defineEvent<{ fn: () => number }>('Live')
const never = () => new Promise<null>(() => {})
const asText = (snapshot: WorkflowSnapshot): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))

/** Timers and the date are the test's; the event loop turns as ever. */
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 1_000_000 }))
afterEach(() => void vi.useRealTimers())

async function pass(ms: number): Promise<void> {
  await turns()
  await vi.advanceTimersByTimeAsync(ms)
  await turns()
}

/** Waits for events from outside, and writes down the numbers of the jobs. */
function idling(log: number[] = []) {
  return workflow('idling', { idle: 'wait', external: [Job, Live] })
    .step('begin', { accepts: StartEvent }, () => null)
    .step('job', { accepts: Job }, ({ n }) => void log.push(n))
    .step('live', { accepts: Live }, () => null)
}

/** Asks, and takes a while with the answer. */
function answering() {
  const gate = createGate()
  const log: unknown[] = []
  const flow = workflow('answering')
    .step('ask', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'r', prompt: '?' }))
    .step('go', { accepts: InputResponseEvent }, async ({ response }) => {
      log.push(response)
      await gate.opened
      return StopEvent({ result: response })
    })
  return { flow, gate, log }
}

describe('a run that was restored while it waited', () => {
  async function waiting() {
    const all = answering()
    const handler = all.flow.run()
    await turns()
    expect(handler.status).toBe('waiting')
    const snapshot = asText(handler.snapshot())
    handler.abort()
    return { ...all, resumed: all.flow.resume(snapshot) }
  }

  test('gives an answer to one step, also when that is aborted by a pause and runs again', async () => {
    const { resumed, gate, log } = await waiting()
    await resumed.respondToInput('r', 1)
    await resumed.pause({ inFlight: 'abort' })
    expect(log).toEqual([1])
    resumed.resume()
    gate.open()
    expect(await resumed.result()).toBe(1)
    expect(log).toEqual([1, 1])
  })

  test('gives an answer to one step, also when it is paused and resumed at once', async () => {
    const { resumed, gate, log } = await waiting()
    await resumed.respondToInput('r', 1)
    const paused = rejection(resumed.pause())
    resumed.resume()
    expect(await paused).toMatchObject({ code: 'pause_undone' })
    gate.open()
    expect(await resumed.result()).toBe(1)
    expect(log).toEqual([1])
  })
})

describe('from inside a run', () => {
  test('a pause resolves only when the run is paused and no step is at work', async () => {
    const gate = createGate()
    let working = 0
    const flow = workflow('inside')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Note({ text: 'go' })])
      .step('job', { accepts: Job }, async () => {
        working++
        await gate.opened
        working--
      })
      .step('note', { accepts: Note }, async (_event, ctx) => {
        working++
        ctx.writeEventToStream({ type: 'Progress' })
        await gate.opened
        working--
        return StopEvent({ result: 1 })
      })
    const handler = flow.run()
    let paused: Promise<unknown[]> | undefined
    handler.actor.on('Progress' as never, () => {
      paused = handler.pause().then((snapshot) => [snapshot.value, handler.status, working])
    })
    await turns()
    expect([handler.status, working]).toEqual(['pausing', 2])
    gate.open()
    expect(await paused).toEqual(['paused', 'paused', 0])
    handler.resume()
    expect(await handler.result()).toBe(1)
  })

  test('a snapshot that a listener takes holds what the same turn has yet to start', async () => {
    const log: number[] = []
    const flow = workflow('listener')
      .step('begin', { accepts: StartEvent }, async () => [
        InputRequestEvent({ requestId: 'r', prompt: '?' }),
        Job({ n: 1 }),
      ])
      .step('job', { accepts: Job }, ({ n }) => void log.push(n))
      .step('answered', { accepts: InputResponseEvent }, () => StopEvent({ result: [...log] }))
    const handler = flow.run()
    let snapshot: WorkflowSnapshot | undefined
    handler.actor.on(InputRequestEvent.type as never, () => void (snapshot = handler.snapshot()))
    await turns()
    handler.abort()
    log.length = 0
    const resumed = flow.resume(asText(snapshot as WorkflowSnapshot))
    await turns()
    expect(log).toEqual([1])
    await resumed.respondToInput('r', 1)
    expect(await resumed.result()).toEqual([1])
  })

  test('a snapshot that an abort listener takes at the end of the run holds the result', async () => {
    const seen: unknown[] = []
    let handler: WorkflowHandler | undefined
    let snapshot: WorkflowSnapshot | undefined
    const flow = workflow('abort-listener')
      .step('begin', { accepts: StartEvent }, async () => [Job({ n: 1 }), Note({ text: 'end' })])
      .step('job', { accepts: Job }, (_event, { signal }) => {
        signal.addEventListener('abort', () => {
          snapshot = handler?.snapshot()
          seen.push(handler?.status)
          handler?.pause().catch((error: unknown) => seen.push(error))
        })
        return never()
      })
      .step('end', { accepts: Note }, async () => StopEvent({ result: 1 }))
    handler = flow.run()
    await handler.result()
    await turns()
    expect(seen).toEqual(['completed', expect.any(RunFinishedError)])
    expect(await flow.resume(asText(snapshot as WorkflowSnapshot)).result()).toBe(1)
  })
})

describe('a takeover', () => {
  test('by an old snapshot leaves a run alone that goes on', async () => {
    const log: number[] = []
    const flow = idling(log)
    for (const goOn of [
      (handler: WorkflowHandler) => handler.resume(),
      (handler: WorkflowHandler) => handler.actor.send({ type: 'blazen.resume' }),
    ]) {
      const handler = flow.run()
      const snapshot = await handler.pause()
      goOn(handler)
      const other = flow.resume(snapshot)
      await turns()
      expect(handler.status).toBe('waiting')
      await handler.sendEvent(Job({ n: 1 }))
      await turns()
      handler.abort()
      other.abort()
    }
    expect(log).toEqual([1, 1])
  })

  test('happens only within the same workflow', async () => {
    const mine = workflow('mine', { idle: 'wait' }).step('begin', { accepts: StartEvent }, (_event, ctx) => {
      ctx.session.set('secret', 'mine')
    })
    const other = workflow('other', { idle: 'wait', external: [Job] })
      .step('begin', { accepts: StartEvent }, () => null)
      .step('job', { accepts: Job }, (_event, ctx) => StopEvent({ result: ctx.session.get('secret') }))
    const first = other.run(undefined, { runId: 'same' })
    const snapshot = asText(first.snapshot())
    first.abort()
    const paused = mine.run(undefined, { runId: 'same' })
    await paused.pause()
    const resumed = other.resume(snapshot)
    await resumed.sendEvent(Job({ n: 1 }))
    expect(await resumed.result()).toBeUndefined()
    expect(paused.status).toBe('paused')
    paused.abort()
  })
})

test('a second pause that is refused leaves a paused run paused', async () => {
  const handler = idling().run()
  await handler.pause()
  await handler.sendEvent(Live({ fn: () => 1 }))
  expect(await rejection(handler.pause())).toBeInstanceOf(SessionNotSerializableError)
  await turns()
  expect(handler.status).toBe('paused')
  handler.abort()
})

describe('an input request', () => {
  test('that a step sends gets its default when its time is up', async () => {
    const handler = workflow('sent')
      .step('ask', { accepts: StartEvent }, (_event, ctx) => {
        ctx.sendEvent(InputRequestEvent({ requestId: 'r', prompt: '?', timeout: 30, default: 'd' }))
      })
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
      .run()
    await pass(29)
    expect(handler.status).toBe('waiting')
    await pass(1)
    expect(await handler.result()).toBe('d')
  })

  test('refuses an answer with a delay, and stays open', async () => {
    const { flow, gate } = answering()
    const handler = flow.run()
    gate.open()
    await turns()
    const answer = InputResponseEvent({ requestId: 'r', response: 1 })
    expect(await rejection(handler.sendEvent(answer, { delay: 200 }))).toBeInstanceOf(InputRequestError)
    expect(handler.pendingInputs).toHaveLength(1)
    await handler.sendEvent(answer)
    expect(await handler.result()).toBe(1)
  })

  const asking = (kind: string, value: unknown) =>
    workflow('kinds', { requests: { when: { response: z.coerce.date() } } })
      .step('ask', { accepts: StartEvent }, () =>
        InputRequestEvent({ requestId: 'r', prompt: '?', kind, timeout: 10, default: value }),
      )
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))

  test('has a default that fits its kind', async () => {
    const error = await rejection(asking('when', 'not a date').run().result())
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ step: 'ask' })
  })

  test('is of a kind that its workflow declares', async () => {
    const error = await rejection(asking('who', 1).run().result())
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ step: 'ask', message: expect.stringContaining('"who"') })
  })
})

describe('migrations', () => {
  const versioned = (version: string, migrate: Record<string, Migration> = {}) =>
    workflow('versioned', { version, migrate, idle: 'wait' }).step('begin', { accepts: StartEvent }, () => null)

  test('with numbers for versions run in the order of the numbers', async () => {
    const old = versioned('1').run()
    const snapshot = asText(await old.pause())
    old.abort()
    const ran: string[] = []
    const migrate = Object.fromEntries(['1', '1.5', '2'].map((version) => [version, () => void ran.push(version)]))
    const flow = versioned('3', migrate)
    flow.resume(snapshot).abort()
    expect(ran).toEqual(['1', '1.5', '2'])
    ran.length = 0
    flow.resume({ ...snapshot, version: '1.5' }).abort()
    expect(ran).toEqual(['1.5', '2'])
  })

  test('do not mix names and whole numbers', () => {
    expect(() => versioned('3', { beta: () => {}, '2': () => {} }).machine).toThrow(DefinitionError)
    expect(() => versioned('v3', { v1: () => {}, 'v1.5': () => {} }).machine).not.toThrow()
  })
})

test('the snapshot of a stopped actor resumes as an aborted run: its stream ends, and nothing is armed', async () => {
  const flow = workflow('stopped')
    .step('begin', { accepts: StartEvent }, (_event, ctx) => {
      ctx.sendEvent(Job({ n: 1 }), { delay: '1s' })
      return never()
    })
    .step('job', { accepts: Job }, () => StopEvent({ result: 1 }))
  const handler = flow.run(undefined, { timeout: '2s' })
  await turns()
  handler.actor.stop()
  const snapshot = asText(handler.snapshot())
  expect(snapshot.status).toBe('stopped')
  vi.clearAllTimers()
  const resumed = flow.resume(snapshot)
  expect(resumed.status).toBe('aborted')
  expect(await rejection(resumed.result())).toBeInstanceOf(RunAbortedError)
  expect(await resumed.stream().next()).toEqual({ done: true, value: undefined })
  expect(vi.getTimerCount()).toBe(0)
})

test('delayed events that are overdue after a pause fire in the order in which they were due', async () => {
  const log: number[] = []
  const handler = idling(log).run()
  await handler.sendEvent(Job({ n: 200 }), { delay: 60 })
  await handler.sendEvent(Job({ n: 100 }), { delay: 30 })
  await handler.pause()
  await pass(100)
  expect(log).toEqual([])
  handler.resume()
  await pass(1)
  expect(log).toEqual([100, 200])
  handler.abort()
})

test('an instance of a registered class can be updated', async () => {
  class Profile {
    constructor(public name: string) {}
  }
  registerClass(Profile, { name: 'RegressionProfile' })
  const flow = workflow('classes').step('begin', { accepts: StartEvent }, (_event, ctx) => {
    ctx.state.set('profile', new Profile('a'))
    const before = ctx.state.get('profile')
    ctx.state.update<Profile>('profile', (profile) => {
      profile.name = 'b'
    })
    return StopEvent({ result: [before, ctx.state.get('profile')] })
  })
  const result = await flow.run().result()
  expect(result).toEqual([new Profile('a'), new Profile('b')])
  expect((result as unknown[])[1]).toBeInstanceOf(Profile)
})

describe('the snapshot of a finished run', () => {
  test('is taken whatever live events were in flight', async () => {
    const flow = workflow('finished')
      .step('begin', { accepts: StartEvent }, () => [Live({ fn: () => 1 }), Job({ n: 1 })])
      .step('live', { accepts: Live }, never)
      .step('job', { accepts: Job }, () => StopEvent({ result: 1 }))
    const handler = flow.run()
    await handler.result()
    expect(await flow.resume(asText(handler.snapshot())).result()).toBe(1)
  })

  test('gives its result to a workflow that no longer has the steps that were in flight', async () => {
    const handler = workflow('finished')
      .step('begin', { accepts: StartEvent }, () => [Note({ text: 'old' }), Job({ n: 1 })])
      .step('note', { accepts: Note }, never)
      .step('job', { accepts: Job }, () => StopEvent({ result: 1 }))
      .run()
    await handler.result()
    const next = workflow('finished')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('job', { accepts: Job }, () => StopEvent({ result: 2 }))
    expect(await next.resume(asText(handler.snapshot())).result()).toBe(1)
  })
})

test('a run that is resumed with an aborted signal runs no step', async () => {
  let calls = 0
  const flow = workflow('aborted').step('begin', { accepts: StartEvent }, async () => {
    calls++
    return StopEvent({ result: 1 })
  })
  const handler = flow.run()
  const snapshot = asText(handler.snapshot())
  handler.abort()
  calls = 0
  const resumed = flow.resume(snapshot, { signal: AbortSignal.abort() })
  expect(await rejection(resumed.result())).toBeInstanceOf(RunAbortedError)
  await turns()
  expect([calls, resumed.status]).toEqual([0, 'aborted'])
})

test('a resource that never opens does not keep others from being closed', async () => {
  const closed: string[] = []
  const flow = workflow('resources', {
    session: {
      ready: resource({ open: () => 'ready', close: (name) => void closed.push(name) }),
      stuck: resource({ open: () => new Promise<string>(() => {}), close: () => void closed.push('stuck') }),
    },
  }).step('begin', { accepts: StartEvent }, (_event, ctx) => {
    ctx.session.get('ready')
    void ctx.session.open('stuck')
    return StopEvent({ result: 1 })
  })
  await flow.run().result()
  await turns()
  expect(closed).toEqual(['ready'])
})

test('a pause that is sent to the actor by hand waits for the steps that run', async () => {
  const gate = createGate()
  let calls = 0
  const flow = workflow('by-hand').step('begin', { accepts: StartEvent }, async () => {
    calls++
    await gate.opened
    return StopEvent({ result: 1 })
  })
  const actor = createActor(flow.machine).start()
  actor.send({ type: 'blazen.pause' } as never)
  await turns()
  gate.open()
  await turns()
  expect(actor.getSnapshot().value).toBe('paused')
  actor.send({ type: 'blazen.resume' } as never)
  await turns()
  expect([calls, actor.getSnapshot().status, actor.getSnapshot().output]).toEqual([1, 'done', 1])
})

test('the default of a request arrives as the schema of its kind outputs it, as an answer does', async () => {
  const asked = workflow('asked', { requests: { when: { response: z.coerce.date() } } })
    .step('ask', { accepts: StartEvent }, () =>
      InputRequestEvent({ requestId: 'r', prompt: 'when?', kind: 'when', timeout: 10, default: '2020-01-01' }),
    )
    .step('tell', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
  const handler = asked.run()
  await pass(20)
  expect(await handler.result()).toEqual(new Date('2020-01-01'))
})
