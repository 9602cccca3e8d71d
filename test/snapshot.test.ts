import {
  defineEvent,
  InputRequestEvent,
  InputResponseEvent,
  RunAbortedError,
  RunTimeoutError,
  SessionNotSerializableError,
  SnapshotError,
  StalledError,
  StartEvent,
  StepFailedError,
  StepTimeoutError,
  StopEvent,
  UnhandledEventError,
  type WorkflowHandler,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createActor, setup, toPromise } from 'xstate'
import { runInProcess } from './child-process.ts'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})
const asText = (snapshot: unknown): WorkflowSnapshot => JSON.parse(JSON.stringify(snapshot))

const thrownGlobally: unknown[] = []
const warnings: (Error & { code?: string })[] = []
const noteError = (error: unknown) => void thrownGlobally.push(error)
const noteWarning = (warning: Error) => void warnings.push(warning)
beforeEach(() => {
  thrownGlobally.length = 0
  warnings.length = 0
  process.on('uncaughtException', noteError).on('unhandledRejection', noteError).on('warning', noteWarning)
})
afterEach(async () => {
  await turns()
  await new Promise((resolve) => setTimeout(resolve, 1))
  process.off('uncaughtException', noteError).off('unhandledRejection', noteError).off('warning', noteWarning)
  expect(thrownGlobally).toEqual([])
})

/** A step that adds three to a sum, of which the second addition waits for a gate. */
function adder() {
  const gate = createGate()
  const ran: string[] = []
  const flow = workflow('adder')
    .step('begin', { accepts: StartEvent }, () => [1, 2, 3].map((n) => Job({ n })))
    .step('job', { accepts: Job }, async ({ n }, ctx) => {
      ran.push(ctx.executionId.split('/')[1] ?? '')
      ctx.state.update<number>('sum', (sum = 0) => sum + n)
      if (n === 2) await gate.opened
      return ctx.collect(Job, 3) === undefined ? null : StopEvent({ result: ctx.state.sum })
    })
  return { flow, gate, ran }
}

describe('a snapshot', () => {
  test('is plain JSON data, the same from the handler and from the actor', async () => {
    const { flow } = adder()
    const handler = flow.run(undefined, { runId: 'mine' })
    await turns()
    const snapshot = handler.snapshot()
    expect(snapshot).toStrictEqual(asText(snapshot))
    expect(handler.actor.getPersistedSnapshot()).toEqual(snapshot)
    expect(snapshot).toMatchObject({ format: 1, workflow: 'adder', version: null, runId: 'mine', status: 'active' })
    handler.abort()
  })

  test('of a busy run disturbs nothing: the run goes on and ends as ever', async () => {
    const { flow, gate, ran } = adder()
    const handler = flow.run()
    await turns()
    for (let n = 0; n < 5; n++) handler.snapshot()
    gate.open()
    expect(await handler.result()).toBe(6)
    expect(ran).toEqual(['2', '3', '4'])
  })

  test('gives a run in which what was in flight runs again, and what had settled does not', async () => {
    const { flow, gate, ran } = adder()
    const handler = flow.run()
    await turns()
    const snapshot = asText(handler.snapshot())
    handler.abort()
    ran.length = 0
    gate.open()
    const resumed = flow.resume(snapshot)
    expect(resumed.runId).toBe(handler.runId)
    expect(await resumed.result()).toBe(6)
    expect(ran).toEqual(['3'])
  })

  test('can be resumed as often as one likes, and is not changed by it', async () => {
    const { flow, gate } = adder()
    const handler = flow.run()
    await turns()
    const snapshot = handler.snapshot()
    const before = JSON.stringify(snapshot)
    handler.abort()
    gate.open()
    expect(await Promise.all([1, 2, 3].map(() => flow.resume(snapshot).result()))).toEqual([6, 6, 6])
    expect(JSON.stringify(snapshot)).toBe(before)
  })

  test('keeps the number of the attempt, and the events that were sent early are not sent again', async () => {
    let fails = true
    const seen: unknown[] = []
    const flow = workflow('early', { idle: 'wait' })
      .step('begin', { accepts: StartEvent, retry: { attempts: 3 } }, async (_event, ctx) => {
        seen.push(ctx.attempt)
        ctx.sendEvent(Job({ n: 1 }))
        if (ctx.attempt === 1) throw new Error('again')
        if (fails) await never()
        ctx.sendEvent(Job({ n: 2 }))
        return null
      })
      .step('job', { accepts: Job }, ({ n }) => void seen.push(`job ${n}`))
    const handler = flow.run()
    await turns()
    const snapshot = asText(handler.snapshot())
    handler.abort()
    fails = false
    const resumed = flow.resume(snapshot)
    await turns()
    expect(seen).toEqual([1, 'job 1', 2, 2, 'job 2'])
    resumed.abort()
  })

  test('is taken by createActor, which goes on from it; a paused run goes on when it is told to', async () => {
    for (const paused of [false, true]) {
      const { flow, gate, ran } = adder()
      const handler = flow.run()
      await turns()
      const snapshot = asText(paused ? await handler.pause({ inFlight: 'abort' }) : handler.snapshot())
      handler.abort()
      gate.open()
      await turns()
      ran.length = 0
      const actor = createActor(flow.machine, { snapshot: snapshot as never })
      actor.start()
      await turns()
      expect(ran).toEqual(paused ? [] : ['3'])
      if (paused) {
        expect(actor.getSnapshot().value).toBe('paused')
        expect(asText(actor.getPersistedSnapshot())).toEqual(snapshot)
        actor.send({ type: 'blazen.resume' })
      }
      expect(await toPromise(actor)).toBe(6)
      expect(ran).toEqual(['3'])
    }
  })

  test('of a run in a machine of one’s own is in the snapshot of that machine, and goes on with it', async () => {
    const { flow, gate, ran } = adder()
    const parent = setup({ actors: { adder: flow.machine } }).createMachine({
      context: { sum: 0 },
      initial: 'adding',
      states: {
        adding: {
          invoke: {
            id: 'adder',
            src: 'adder',
            onDone: { target: 'done', actions: ({ context, event }) => void (context.sum = event.output as number) },
          },
        },
        done: { type: 'final' },
      },
      output: ({ context }) => context.sum,
    })
    const first = createActor(parent)
    first.start()
    await turns()
    const snapshot = JSON.parse(JSON.stringify(first.getPersistedSnapshot()))
    first.stop()
    ran.length = 0
    const second = createActor(parent, { snapshot })
    second.start()
    gate.open()
    expect(await toPromise(second)).toBe(6)
    expect(ran).toEqual(['3'])
  })

  test('is not taken when the run is inspected, subscribed to or printed, over whatever live value', async () => {
    const flow = workflow('inspected', { sessionPausePolicy: 'hard_error', idle: 'wait' }).step(
      'begin',
      { accepts: StartEvent },
      (_event, ctx) => {
        ctx.session.socket = { write: () => {} }
        ctx.state.live = () => 1
      },
    )
    const inspected: unknown[] = []
    const actor = createActor(flow.machine, { inspect: (event) => void inspected.push(event) })
    let seen = 0
    actor.subscribe((snapshot) => {
      seen++
      JSON.stringify(snapshot)
    })
    actor.start()
    await turns()
    expect(seen).toBeGreaterThan(1)
    expect(inspected.length).toBeGreaterThan(2)
    JSON.stringify(actor.getSnapshot())
    expect(actor.getSnapshot().status).toBe('active')
    expect(() => actor.getPersistedSnapshot()).toThrow(SessionNotSerializableError)
    expect(actor.getSnapshot().status).toBe('active')
    actor.stop()
  })

  test('of an event that is no plain object is refused rather than changed', async () => {
    const key = Symbol('key')
    const gate = createGate()
    const handler = workflow('symbols')
      .step('begin', { accepts: StartEvent }, () => ({ ...Job({ n: 1 }), [key]: 'value' }))
      .step('job', { accepts: Job }, async (event) => {
        await gate.opened
        return StopEvent({ result: Reflect.get(event, key) })
      })
      .run()
    await turns()
    expect(() => handler.snapshot()).toThrow(SessionNotSerializableError)
    expect(() => handler.snapshot()).toThrow('Symbol(key)')
    gate.open()
    expect(await handler.result()).toBe('value')
  })
})

describe('live values in pending events', () => {
  const Live = defineEvent<{ n: number; fn?: () => void }>('Live')
  const build = (sessionPausePolicy: 'pickle_or_error' | 'warn_drop' | 'hard_error', wait: () => unknown = never) =>
    workflow('live events', { sessionPausePolicy })
      .step('begin', { accepts: StartEvent }, () => [Live({ n: 1, fn: () => {} }), Live({ n: 2 })])
      .step('live', { accepts: Live }, async ({ n, fn }) => {
        await wait()
        return n === 1 ? StopEvent({ result: [n, fn] }) : null
      })

  test.each(['pickle_or_error', 'hard_error'] as const)('refuse the snapshot, which names them: %s', async (policy) => {
    const handler = build(policy).run()
    await turns()
    const error = await rejection(handler.pause({ inFlight: 'abort' }))
    expect(error).toBeInstanceOf(SessionNotSerializableError)
    expect((error as SessionNotSerializableError).entries).toMatchObject([
      { where: expect.stringContaining('"Live" of step "live" (its field fn)') },
    ])
    await turns()
    expect(handler.status).toBe('running')
    handler.abort()
  })

  test('are left out by warn_drop, with a warning, and the rest of the event stays', async () => {
    const handler = build('warn_drop').run()
    await turns()
    const snapshot = asText(handler.snapshot())
    handler.abort()
    expect(
      await build('warn_drop', () => undefined)
        .resume(snapshot)
        .result(),
    ).toEqual([1, undefined])
    await turns()
    expect(warnings.map(({ code }) => code)).toEqual(['BLAZEN_SESSION_DROPPED'])
    expect(warnings[0]?.message).toContain('fn')
  })
})

describe('a run that has ended', () => {
  class Refused extends Error {
    override name = 'Refused'
    constructor(readonly status: number) {
      super(`refused with ${status}`, { cause: new RangeError('the cause') })
    }
  }

  test.each<[string, unknown]>([
    ['plain data', { list: [1] }],
    ['null', null],
    ['undefined', undefined],
    ['odd data', { date: new Date(0), map: new Map([[1, Number.NaN]]) }],
    ['bytes', new Uint8Array([1, 2])],
  ])('resumes to its result: %s', async (_name, result) => {
    const flow = workflow('completed').step('begin', { accepts: StartEvent }, () => StopEvent({ result }))
    const handler = flow.run()
    await handler.result()
    const resumed = flow.resume(asText(handler.snapshot()))
    expect(resumed.status).toBe('completed')
    expect(resumed.runId).toBe(handler.runId)
    expect(await resumed.result()).toStrictEqual(result)
    expect(asText(resumed.snapshot())).toEqual(asText(handler.snapshot()))
    for await (const event of resumed.stream()) expect(event).toBeUndefined()
  })

  const failures: Record<string, [() => WorkflowHandler, unknown]> = {
    'what a step threw': [
      () =>
        workflow('f')
          .step('begin', { accepts: StartEvent }, () => {
            throw new Refused(403)
          })
          .run(),
      StepFailedError,
    ],
    'the time of a step': [
      () => workflow('f').step('begin', { accepts: StartEvent, timeout: 1 }, never).run(),
      StepTimeoutError,
    ],
    'the time of the run': [
      () => workflow('f', { timeout: 1 }).step('begin', { accepts: StartEvent }, never).run(),
      RunTimeoutError,
    ],
    'an abort': [
      () => {
        const handler = workflow('f').step('begin', { accepts: StartEvent }, never).run()
        handler.abort(new Refused(1))
        return handler
      },
      RunAbortedError,
    ],
    'a stall': [
      () =>
        workflow('f')
          .step('begin', { accepts: StartEvent }, () => null)
          .run(),
      StalledError,
    ],
    'an event that nobody accepts': [
      () =>
        workflow('f')
          .step('begin', { accepts: StartEvent }, () => ({ type: 'Unknown', n: 1 }) as never)
          .run(),
      UnhandledEventError,
    ],
  }
  test.each(Object.entries(failures))(
    'resumes to its error, with its class, message, cause and own fields: %s',
    async (_name, [start, Class]) => {
      const handler = start()
      const error = (await rejection(handler.result())) as Error
      expect(error).toBeInstanceOf(Class)
      const flow = workflow('f').step('begin', { accepts: StartEvent }, never)
      const resumed = flow.resume(asText(handler.snapshot()))
      expect(resumed.status).toBe(handler.status)
      const again = (await rejection(resumed.result())) as Error
      expect(again).toBeInstanceOf(Class)
      expect(again.message).toBe(error.message)
      expect({ ...again, cause: undefined }).toEqual({ ...error, cause: undefined })
      if (error.cause instanceof Refused) {
        expect(again.cause).toMatchObject({ name: 'Refused', status: error.cause.status, message: error.cause.message })
        expect((again.cause as Error).constructor.name).toBe('Refused')
        expect((again.cause as Error).cause).toBeInstanceOf(RangeError)
      }
      expect(asText(resumed.snapshot())).toEqual(asText(handler.snapshot()))
    },
  )

  test('resumes without a word on the console', async () => {
    const lines: unknown[] = []
    const { warn, error } = console
    console.warn = console.error = (...line: unknown[]) => void lines.push(line)
    try {
      for (const fails of [false, true]) {
        const flow = workflow('quiet').step('begin', { accepts: StartEvent }, () => {
          if (fails) throw new Error('no')
          return StopEvent({ result: 1 })
        })
        const handler = flow.run()
        await handler.result().catch(() => {})
        await flow
          .resume(handler.snapshot())
          .result()
          .catch(() => {})
      }
    } finally {
      Object.assign(console, { warn, error })
    }
    expect(lines).toEqual([])
  })
})

test('a run whose requests were answered inline waits for a person where nobody answers inline', async () => {
  const flow = workflow('inline')
    .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'a', prompt: '?' }))
    .step('hear', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
  const handler = flow.run(undefined, { onInput: never })
  await turns()
  expect(handler.status).toBe('running')
  const snapshot = asText(handler.snapshot())
  handler.abort()
  const resumed = flow.resume(snapshot)
  await turns()
  expect(resumed.status).toBe('waiting')
  await resumed.respondToInput('a', 'yes')
  expect(await resumed.result()).toBe('yes')
  expect(await flow.resume(snapshot, { onInput: () => 'inline' }).result()).toBe('inline')
})

describe('in a process of its own', () => {
  const define = `
    class Point { constructor(x) { this.x = x } double() { return this.x * 2 } }
    const flow = (last) => workflow('two processes', { classes: [Point] })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.point = new Point(21)
        ctx.state.map = new Map([['when', new Date(0)]])
        ctx.setBytes('bytes', new Uint8Array([1, 2, 3]))
        ctx.session.note = 'kept'
        return [{ ...Job(), n: 1n }, InputRequestEvent({ requestId: 'a', prompt: 'Sure?' })]
      })
      .step('job', { accepts: Job }, async ({ n }, ctx) => {
        ctx.state.runs = 1
        if (!last) await never()
        return null
      })
      .step('hear', { accepts: InputResponseEvent }, ({ response }, { state, session, getBytes }) =>
        StopEvent({ result: [response, state.point.double(), state.map.get('when').getTime(), state.bytes[2], session.note] }))
  `

  test('a run goes on from the text of a snapshot that another process has written', async () => {
    const text = await runInProcess(`${define}
      const handler = flow(false).run(undefined, { runId: 'far' })
      await new Promise((resolve) => setTimeout(resolve, 20))
      const snapshot = await handler.pause({ inFlight: 'abort' })
      process.stdout.write(JSON.stringify(snapshot))
      process.exit()
    `)
    const output = await runInProcess(`${define}
      const handler = flow(true).resume(JSON.parse(${JSON.stringify(text)}))
      await new Promise((resolve) => setTimeout(resolve, 20))
      const { status, runId } = handler
      await handler.respondToInput('a', 'yes')
      process.stdout.write(JSON.stringify([runId, status, await handler.result()]))
    `)
    expect(JSON.parse(output)).toEqual(['far', 'waiting', ['yes', 42, 0, 3, 'kept']])
  }, 30_000)

  test('a paused run, and one that was resumed and ended, keep no timer: the process exits by itself', async () => {
    const output = await runInProcess(`
      const flow = workflow('exits', { timeout: '1h', external: Job })
        .step('begin', { accepts: StartEvent, retry: { attempts: 2, delay: '1h' } }, (_event, ctx) => {
          ctx.sendEvent(Job(), { delay: '1h' })
          throw new Error('again')
        })
        .step('job', { accepts: Job }, () => StopEvent({ result: 'done' }))
      const handler = flow.run()
      await new Promise((resolve) => setTimeout(resolve, 20))
      const snapshot = await handler.pause()
      await handler.sendEvent(Job(), { delay: '1h' })
      const { handler: _, ...rest } = { handler }
      const live = flow.resume(JSON.parse(JSON.stringify({ ...snapshot, runId: 'other' })))
      await live.sendEvent(Job())
      process.stdout.write(await live.result())
    `)
    expect(output).toBe('done')
  }, 30_000)
})

describe('a snapshot that is damaged', () => {
  /** A snapshot with something in all of its places, and whether anything has run from one. */
  async function rich() {
    const ran: string[] = []
    let resuming = false
    const flow = workflow('rich', { version: '1', sessionPausePolicy: 'warn_drop', idle: 'wait' })
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.state.plain = { list: [1, { a: null }] }
        ctx.state.coded = new Map<unknown, unknown>([['a', new Set([new Date(0), 1n])]])
        ctx.state.error = new RangeError('kept', { cause: 'why' })
        ctx.setBytes('bytes', new Uint8Array([1, 2, 3]))
        ctx.state.live = () => 1
        ctx.session.live = () => 1
        ctx.sendEvent(Job({ n: 9 }), { delay: '1h' })
        return [Job({ n: 1 }), Job({ n: 2 }), InputRequestEvent({ requestId: 'a', prompt: '?', timeout: '1h' })]
      })
      .step('job', { accepts: Job, concurrency: 2, retry: { attempts: 2, delay: '1h' } }, async ({ n }, ctx) => {
        if (resuming) ran.push(`job ${n}`)
        ctx.collect(Job, 9)
        if (n === 2) throw new Error('again')
        return null
      })
      .step('hear', { accepts: InputResponseEvent }, () => null)
    const handler = flow.run()
    await turns()
    const paused = await handler.pause()
    await handler.sendEvent(Job({ n: 3 }))
    const snapshot = asText(handler.snapshot())
    handler.abort()
    const failed = workflow('rich', { version: '1' }).step('job', { accepts: StartEvent }, () => {
      throw new Error('no')
    })
    const ended = failed.run()
    await rejection(ended.result())
    resuming = true
    const { context } = snapshot
    for (const part of ['executions', 'queue', 'requests', 'timers', 'collections', 'state'] as const)
      expect(context[part].length, part).toBeGreaterThan(0)
    expect([paused.context.lost.state.length, paused.context.lost.session.length]).toEqual([1, 1])
    return { flow, ran, snapshots: [snapshot, asText(ended.snapshot())] }
  }

  /** Every place in a JSON value, as a path. */
  function pathsIn(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
    if (typeof value !== 'object' || value === null) return [path]
    const keys = Array.isArray(value) ? value.keys() : Object.keys(value)
    return [path, ...[...keys].flatMap((key) => pathsIn(Reflect.get(value, key), [...path, key]))]
  }

  function change(
    snapshot: unknown,
    path: readonly (string | number)[],
    how: (owner: object, key: string | number) => void,
  ) {
    const copy = structuredClone(snapshot)
    let owner = copy as object
    for (const key of path.slice(0, -1)) owner = Reflect.get(owner, key)
    const last = path.at(-1)
    if (last !== undefined) how(owner, last)
    return copy
  }

  test('is refused with the path of the damage, or goes on; nothing of it runs before that, and no prototype is touched', async () => {
    const { flow, ran, snapshots } = await rich()
    const odd = fc.oneof(
      fc.constantFrom<unknown>(null, true, -1, 0, 1.5, 1e300, '', 'text', [], {}, [[]], [null], [{}], '__proto__'),
      fc.constantFrom<unknown>({ json: null }, { json: { type: 'Other' } }, { coded: '[]' }, { coded: '[["Date"]]' }),
      fc.constantFrom<unknown>(
        { coded: '{' },
        { coded: '[["blazen",1],[2,3,4],"class","Nowhere",[]]' },
        { bytes: 'A', length: 9 },
        { json: 1, coded: '' },
      ),
      fc.jsonValue(),
      fc.constant(JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')),
    )
    const cases = fc.constantFrom(...snapshots).chain((snapshot) =>
      fc.record({
        snapshot: fc.constant(snapshot),
        path: fc.constantFrom(...pathsIn(snapshot).slice(1)),
        value: odd,
        how: fc.constantFrom('delete', 'replace', 'cut'),
      }),
    )
    const outcomes = { refused: 0, resumed: 0 }
    await fc.assert(
      fc.asyncProperty(cases, async ({ snapshot, path, value, how }) => {
        const damaged = change(snapshot, path, (owner, key) => {
          const before: unknown = Reflect.get(owner, key)
          if (how === 'delete') Reflect.deleteProperty(owner, key)
          else if (how === 'cut' && typeof before === 'string')
            Reflect.set(owner, key, before.slice(0, before.length / 2))
          else Object.defineProperty(owner, key, { value, enumerable: true, configurable: true, writable: true })
        })
        ran.length = 0
        let handler: WorkflowHandler | undefined
        try {
          handler = flow.resume(damaged as WorkflowSnapshot)
        } catch (error) {
          expect(error).toBeInstanceOf(SnapshotError)
          expect(typeof (error as SnapshotError).path).toBe('string')
          expect((error as SnapshotError).path, String(error)).not.toBe('')
          expect(ran).toEqual([])
          outcomes.refused++
        }
        await turns(1)
        if (handler !== undefined) {
          outcomes.resumed++
          for (const read of [() => handler?.status, () => handler?.pendingInputs, () => handler?.snapshot()]) read()
          handler.abort()
          await handler.result().catch((error) => expect(error).toHaveProperty('code'))
        } else {
          expect(ran).toEqual([])
        }
        expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
      }),
      { numRuns: 1_500 },
    )
    expect(outcomes.refused).toBeGreaterThan(300)
    expect(outcomes.resumed).toBeGreaterThan(100)
  }, 60_000)

  test.each<[string, string, unknown]>([
    ['another format', 'format', { format: 2 }],
    ['no format', 'format', { format: undefined }],
    ['another workflow', 'workflow', { workflow: 'other' }],
    ['another version', 'version', { version: '9' }],
    ['no context', 'context', { context: undefined }],
    ['an unknown status', 'status', { status: 'odd' }],
    ['a status that is not of its place in life', 'value', { status: 'done' }],
    ['no id', 'runId', { runId: undefined }],
  ])('names what is wrong: %s', async (_name, path, changed) => {
    const { flow, snapshots } = await rich()
    const damaged = asText({ ...snapshots[0], ...(changed as object) })
    const error = await rejection(Promise.resolve().then(() => flow.resume(damaged)))
    expect(error).toBeInstanceOf(SnapshotError)
    expect(error).toMatchObject({ path: expect.stringContaining(path), code: 'snapshot' })
  })

  test.each<[string, unknown]>([
    ['text', '{}'],
    ['nothing', undefined],
    ['null', null],
    ['a number', 1],
    ['a list', []],
  ])('is no snapshot at all: %s', async (_name, value) => {
    const { flow } = adder()
    expect(await rejection(Promise.resolve().then(() => flow.resume(value as never)))).toBeInstanceOf(SnapshotError)
  })

  test('of a class that is not registered here is refused where an event needs it, and lazily where state holds it', async () => {
    class Point {
      x = 1
    }
    const build = (classes: [typeof Point] | []) =>
      workflow('classes', { classes, idle: 'wait', external: Job })
        .step('begin', { accepts: StartEvent }, (_event, ctx) => {
          ctx.state.point = new Point()
          ctx.state.other = 'readable'
        })
        .step('job', { accepts: Job }, async (event, ctx) => {
          if (event.n === 1) return never()
          expect(ctx.state.other).toBe('readable')
          return StopEvent({ result: ctx.state.point })
        })
    const handler = build([Point]).run()
    await turns()
    const state = asText(handler.snapshot())
    await handler.sendEvent({ ...Job({ n: 1 }), point: new Point() } as never)
    const event = asText(handler.snapshot())
    handler.abort()
    const resumed = build([]).resume(state)
    await resumed.sendEvent(Job({ n: 2 }))
    const error = (await rejection(resumed.result())) as Error
    expect((error.cause as Error).message).toContain('"Point"')
    expect((error.cause as Error).message).toContain('point')
    const refused = await rejection(Promise.resolve().then(() => build([]).resume(event)))
    expect(refused).toBeInstanceOf(SnapshotError)
    expect(refused).toMatchObject({ path: 'context.executions[0].event', message: expect.stringContaining('"Point"') })
    // What could not be read is written again as it came.
    const kept = build([]).resume(state)
    expect(asText(kept.snapshot()).context.state).toEqual(state.context.state)
    kept.abort()
  })
})
