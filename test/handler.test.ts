import {
  defineEvent,
  EventValidationError,
  InputRequestError,
  InputRequestEvent,
  InputResponseEvent,
  RunAbortedError,
  RunFinishedError,
  StartEvent,
  StopEvent,
  workflow,
} from 'blazen-xstate'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const never = () => new Promise<null>(() => {})

const quick = workflow('quick').step('begin', { accepts: StartEvent }, () => StopEvent({ result: 'quick' }))
const endless = workflow('endless', { external: Job })
  .step('begin', { accepts: StartEvent }, never)
  .step('job', { accepts: Job }, ({ n }) => StopEvent({ result: n }))

const thrownGlobally: unknown[] = []
const note = (error: unknown) => void thrownGlobally.push(error)
beforeEach(() => {
  thrownGlobally.length = 0
  process.on('uncaughtException', note).on('unhandledRejection', note)
})
afterEach(async () => {
  await turns()
  await new Promise((resolve) => setTimeout(resolve, 1))
  process.off('uncaughtException', note).off('unhandledRejection', note)
  expect(thrownGlobally).toEqual([])
})

describe('the id of a run', () => {
  test('is a UUID, there at once, another one for each run', () => {
    const [one, two] = [quick.run(), quick.run()]
    expect(one.runId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(two.runId).not.toBe(one.runId)
  })

  test('may be given, and is the one that steps see', async () => {
    const flow = workflow('id').step('begin', { accepts: StartEvent }, (_event, ctx) =>
      StopEvent({ result: [ctx.runId, ctx.workflow, ctx.step, ctx.attempt] }),
    )
    const handler = flow.run(undefined, { runId: 'mine' })
    expect(handler.runId).toBe('mine')
    expect(await handler.result()).toEqual(['mine', 'id', 'begin', 1])
  })
})

describe('the status of a run', () => {
  test('goes from running to completed', async () => {
    const handler = quick.run()
    expect(handler.status).toBe('running')
    await handler.result()
    expect(handler.status).toBe('completed')
  })

  test('is failed after an error and aborted after an abort', async () => {
    const fails = workflow('fails').step('begin', { accepts: StartEvent }, () => {
      throw new Error('no')
    })
    const failed = fails.run()
    await rejection(failed.result())
    expect(failed.status).toBe('failed')
    const aborted = endless.run()
    aborted.abort()
    expect(aborted.status).toBe('aborted')
    await rejection(aborted.result())
    expect(aborted.status).toBe('aborted')
  })

  test('is aborted after somebody stopped the actor, and the result rejects, whenever it was asked for', async () => {
    const before = endless.run()
    const result = before.result()
    before.actor.stop()
    expect(await rejection(result)).toBeInstanceOf(RunAbortedError)
    expect(before.status).toBe('aborted')
    const after = endless.run()
    after.actor.stop()
    const error = await rejection(Promise.race([after.result(), turns(10)]))
    expect(error).toBeInstanceOf(RunAbortedError)
  })
})

describe('whoever looks on', () => {
  test('sees the outcome without waiting, always the same object', async () => {
    const handler = quick.run()
    expect(handler.outcome).toBeUndefined()
    await handler.result()
    expect(handler.outcome).toEqual({ status: 'fulfilled', value: 'quick' })
    expect(handler.outcome).toBe(handler.outcome)
    const aborted = endless.run()
    aborted.actor.stop()
    expect(aborted.outcome).toMatchObject({ status: 'rejected', reason: await rejection(aborted.result()) })
  })

  test('is told once of all that happens in a turn, until that is ended', async () => {
    const [begin, gate] = [createGate(), createGate()]
    const flow = workflow('writes').step('write', { accepts: StartEvent }, async (_event, ctx) => {
      await begin.opened
      for (let n = 0; n < 100; n++) ctx.set('n', n)
      await gate.opened
      ctx.set('n', 'last')
      return StopEvent()
    })
    const handler = flow.run()
    let count = 0
    const first = new Promise<void>((resolve) => {
      const unsubscribe = handler.subscribe(() => {
        count++
        unsubscribe()
        resolve()
      })
    })
    begin.open()
    await first
    expect([count, handler.state.get('n')]).toEqual([1, 99])
    gate.open()
    await handler.result()
    expect([count, handler.state.n, [...handler.state.keys()]]).toEqual([1, 'last', ['n']])
  })
})

describe('the result', () => {
  test('is one promise for all callers, before and after the end', async () => {
    const handler = quick.run()
    const first = handler.result()
    expect(handler.result()).toBe(first)
    expect(await Promise.all(Array.from({ length: 100 }, () => handler.result()))).toEqual(Array(100).fill('quick'))
    expect(handler.result()).toBe(first)
  })

  test('can be asked for when the run has ended long ago', async () => {
    const completed = quick.run()
    const failed = workflow('fails')
      .step('begin', { accepts: StartEvent }, () => {
        throw new Error('no')
      })
      .run()
    await turns()
    expect(await completed.result()).toBe('quick')
    expect(await rejection(failed.result())).toMatchObject({ code: 'step_failed' })
  })

  class Connection {
    readonly #open = true
    isOpen = () => this.#open
  }
  const shared = { deep: { list: [1] } }
  const values: Record<string, unknown> = {
    'an object': shared,
    'a class instance with private fields': new Connection(),
    'a frozen object': Object.freeze({ a: 1 }),
    'a function': () => 1,
    'an array': [shared],
    'a Map': new Map([[shared, 1]]),
    'an Error': new Error('as a value'),
    'a symbol': Symbol('result'),
    'a Buffer': Buffer.from('abc'),
    'an object without prototype': Object.create(null),
    null: null,
    undefined: undefined,
    NaN: Number.NaN,
    '-0': -0,
  }
  test.each(Object.entries(values))('is the very value that StopEvent held: %s', async (_name, value) => {
    const flow = workflow('identity').step('begin', { accepts: StartEvent }, () => StopEvent({ result: value }))
    expect(Object.is(await flow.run().result(), value)).toBe(true)
  })

  test('of StopEvent() is undefined', async () => {
    const flow = workflow('nothing').step('begin', { accepts: StartEvent }, () => StopEvent())
    expect(await flow.run().result()).toBeUndefined()
  })

  test.each(Object.entries(values))(
    'of every accepting step: the payload is the very value: %s',
    async (_name, value) => {
      const Carry = defineEvent<{ value: unknown }>('Carry')
      const event = Carry({ value })
      const seen: unknown[] = []
      await workflow('payloads')
        .step('begin', { accepts: StartEvent }, () => event)
        .step('a', { accepts: Carry }, (carried) => void seen.push(carried, carried.value))
        .step('b', { accepts: Carry }, async (carried) => void seen.push(carried, carried.value))
        .step('c', { accepts: Carry }, async (carried) => {
          seen.push(carried, carried.value)
          await turns(1)
          return StopEvent()
        })
        .run()
        .result()
      expect(seen).toHaveLength(6)
      for (const [at, each] of seen.entries()) expect(Object.is(each, at % 2 === 0 ? event : value)).toBe(true)
    },
  )

  test('of a run whose input is no plain object holds that very object', async () => {
    const connection = new Connection()
    const flow = workflow('live input').step('begin', { accepts: StartEvent }, (event) =>
      StopEvent({ result: event.input }),
    )
    expect(await flow.run(connection).result()).toBe(connection)
  })

  test('is never missed: a run goes on when nobody holds its handler', async () => {
    const done = createGate<string>()
    workflow('lost')
      .step('begin', { accepts: StartEvent }, async () => {
        await turns()
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, () => {
        done.open('ran to its end')
        return StopEvent()
      })
      .run()
    expect(await done.opened).toBe('ran to its end')
  })

  test('that nobody awaits throws nothing globally when the run fails', async () => {
    const fails = workflow('fails').step('begin', { accepts: StartEvent }, () => {
      throw new Error('nobody listens')
    })
    const handler = fails.run()
    void fails.run().result()
    await turns()
    expect(handler.status).toBe('failed')
  })
})

describe('two steps that fail at once', () => {
  test('reject the run once, with the first error', async () => {
    const gate = createGate()
    const errors = [new Error('a'), new Error('b')]
    let rejections = 0
    const handler = workflow('both fail')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('a', { accepts: Job }, async () => {
        await gate.opened
        throw errors[0]
      })
      .step('b', { accepts: Job }, async () => {
        await gate.opened
        throw errors[1]
      })
      .run()
    handler.result().catch(() => rejections++)
    await turns()
    gate.open()
    expect(await rejection(handler.result())).toMatchObject({ step: 'a', cause: errors[0] })
    await turns()
    expect(rejections).toBe(1)
  })
})

describe('an abort', () => {
  test.each([
    ['a text', 'enough'],
    ['an Error', new Error('enough')],
    ['nothing', undefined],
    ['a frozen object', Object.freeze({ why: 'enough' })],
    ['null', null],
  ])('with %s as reason keeps it as the cause', async (_name, reason) => {
    const handler = endless.run()
    handler.abort(reason)
    const error = (await rejection(handler.result())) as RunAbortedError
    expect(error).toBeInstanceOf(RunAbortedError)
    expect(error).toMatchObject({ code: 'run_aborted', runId: handler.runId })
    expect(error.cause).toBe(reason)
    expect(error.reason).toBe(reason)
  })

  test('aborts the signals of the steps, with the error of the run as reason', async () => {
    const signals: AbortSignal[] = []
    const heard: unknown[] = []
    const handler = workflow('signals')
      .step('begin', { accepts: StartEvent }, () => [Job({ n: 1 }), Job({ n: 2 })])
      .step('job', { accepts: Job }, (_event, { signal }) => {
        signals.push(signal)
        signal.addEventListener('abort', () => heard.push(signal.reason))
        return never()
      })
      .run()
    await turns()
    handler.abort('enough')
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
    expect(heard).toHaveLength(2)
    expect(heard[0]).toMatchObject({ code: 'run_aborted', cause: 'enough' })
    await rejection(handler.result())
  })

  test('reaches a signal that is asked for only afterwards', async () => {
    const gate = createGate()
    const seen = createGate<AbortSignal>()
    const handler = workflow('late signal')
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        await gate.opened
        seen.open(ctx.signal)
        return null
      })
      .run()
    handler.abort('before')
    gate.open()
    expect((await seen.opened).aborted).toBe(true)
    expect((await seen.opened).reason).toMatchObject({ code: 'run_aborted' })
    await rejection(handler.result())
  })

  test('counts when it comes before the first microtask', async () => {
    const log: string[] = []
    const handler = workflow('at once')
      .step('begin', { accepts: StartEvent }, () => Job({ n: 1 }))
      .step('job', { accepts: Job }, () => {
        log.push('job')
        return StopEvent()
      })
      .run()
    handler.abort('at once')
    expect(handler.status).toBe('aborted')
    expect(await rejection(handler.result())).toMatchObject({ cause: 'at once' })
    await turns()
    expect(log).toEqual([])
  })

  test('may come 1,000 times in a row: the first one counts, and none says a word', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const handler = endless.run()
    for (let n = 0; n < 1_000; n++) handler.abort(n)
    expect(await rejection(handler.result())).toMatchObject({ cause: 0 })
    for (let n = 0; n < 1_000; n++) handler.abort(n)
    expect(await rejection(handler.result())).toMatchObject({ cause: 0 })
    expect(warn).not.toHaveBeenCalled()
    warn.mockRestore()
  })

  test('of 1,000 runs rejects each with its own reason', async () => {
    const handlers = Array.from({ length: 1_000 }, () => endless.run())
    for (const [n, handler] of handlers.entries()) handler.abort(n)
    const errors = (await Promise.all(handlers.map((handler) => rejection(handler.result())))) as RunAbortedError[]
    expect(errors.map(({ reason }) => reason)).toEqual(handlers.map((_, n) => n))
  })

  test('does nothing to a run that has ended', async () => {
    const handler = quick.run()
    await handler.result()
    handler.abort('too late')
    expect(handler.status).toBe('completed')
    expect(await handler.result()).toBe('quick')
  })

  test('by a step of the run itself ends it', async () => {
    const abort = createGate<(reason: string) => void>()
    const handler = workflow('itself')
      .step('begin', { accepts: StartEvent }, async () => {
        ;(await abort.opened)('from within')
        return StopEvent()
      })
      .run()
    abort.open((reason) => handler.abort(reason))
    expect(await rejection(handler.result())).toMatchObject({ cause: 'from within' })
  })

  test('comes through the signal of run(), with its reason', async () => {
    const controller = new AbortController()
    const handler = endless.run(undefined, { signal: controller.signal })
    const reason = new Error('from the signal')
    controller.abort(reason)
    expect(handler.status).toBe('aborted')
    expect(await rejection(handler.result())).toMatchObject({ code: 'run_aborted', cause: reason })
  })

  test('through a signal that was aborted before starts no step', async () => {
    let ran = false
    const handler = workflow('never begins')
      .step('begin', { accepts: StartEvent }, () => {
        ran = true
        return StopEvent()
      })
      .run(undefined, { signal: AbortSignal.abort('before') })
    expect(await rejection(handler.result())).toMatchObject({ code: 'run_aborted', cause: 'before' })
    expect(handler.status).toBe('aborted')
    expect(ran).toBe(false)
  })

  test('leaves no listener on the signal when the run has ended, however it ended', async () => {
    const fails = workflow('fails').step('begin', { accepts: StartEvent }, () => {
      throw new Error('no')
    })
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const handlers = [
      quick.run(undefined, { signal }),
      fails.run(undefined, { signal }),
      endless.run(undefined, { signal }),
    ]
    handlers[2]?.abort()
    await Promise.allSettled(handlers.map((handler) => handler.result()))
    expect(added).toHaveBeenCalledTimes(3)
    const listeners = (calls: readonly (readonly unknown[])[]) => new Set(calls.map(([, listener]) => listener))
    expect(listeners(added.mock.calls).size).toBe(3)
    expect(listeners(removed.mock.calls)).toEqual(listeners(added.mock.calls))
  })
})

describe('sendEvent', () => {
  test('routes an event from outside', async () => {
    const handler = endless.run()
    await handler.sendEvent(Job({ n: 5 }))
    expect(await handler.result()).toBe(5)
  })

  test('rejects what no step accepts and what is no event, and leaves the run alone', async () => {
    const handler = endless.run()
    expect(await rejection(handler.sendEvent({ type: 'Nobody' }))).toMatchObject({ code: 'unhandled_event' })
    for (const bad of [undefined, null, 5, 'Job', {}, { type: 5 }]) {
      expect(await rejection(handler.sendEvent(bad as never)), String(bad)).toMatchObject({ code: expect.any(String) })
    }
    expect(handler.status).toBe('running')
    await handler.sendEvent(Job({ n: 6 }))
    expect(await handler.result()).toBe(6)
  })

  test('checks a plain object against its schema, once', async () => {
    const Count = defineEvent(
      'Count',
      z.object({ n: z.string().transform((text) => Number(text)), list: z.array(z.number()).default([]) }),
    )
    const refused: unknown[] = []
    const handler = workflow('checked', { external: Count })
      .step('begin', { accepts: StartEvent }, never)
      .step('count', { accepts: Count }, (event) => StopEvent({ result: event }))
      .run()
    handler.actor.on('*', (event) => refused.push(event))
    const error = await rejection(handler.sendEvent({ type: 'Count', n: 5 } as never))
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ eventType: 'Count', issues: [{ path: 'n' }] })
    await handler.sendEvent({ type: 'Count', n: '7' } as never)
    await turns()
    expect(refused).toEqual([])
    expect(handler.status).toBe('completed')
    expect(await handler.result()).toEqual({ type: 'Count', n: 7, list: [] })
  })

  test('and respondToInput reject after the end, naming how the run ended', async () => {
    for (const [handler, status] of [
      [quick.run(), 'completed'],
      [endless.run(), 'aborted'],
    ] as const) {
      if (status === 'aborted') handler.abort()
      await handler.result().catch(() => {})
      for (const attempt of [handler.sendEvent(Job({ n: 1 })), handler.respondToInput('r', 1)]) {
        const error = await rejection(attempt)
        expect(error).toBeInstanceOf(RunFinishedError)
        expect(error).toMatchObject({ code: 'run_finished', message: expect.stringContaining(status) })
      }
    }
  })
})

describe('respondToInput', () => {
  test('rejects a request that was never asked, and leaves the run alone', async () => {
    const handler = workflow('asks')
      .step('begin', { accepts: StartEvent }, () => InputRequestEvent({ requestId: 'r1', prompt: '?' }))
      .step('answered', { accepts: InputResponseEvent }, ({ response }) => StopEvent({ result: response }))
      .run()
    await turns()
    const error = await rejection(handler.respondToInput('r2', 1))
    expect(error).toBeInstanceOf(InputRequestError)
    expect(error).toMatchObject({ code: 'input_request', requestId: 'r2', message: expect.stringContaining('"r1"') })
    expect(handler.status).toBe('waiting')
    await handler.respondToInput('r1', 'yes')
    expect(await handler.result()).toBe('yes')
  })
})

describe('what a step throws', () => {
  const thrown: Record<string, unknown> = {
    undefined: undefined,
    null: null,
    'a text': 'just a text',
    'an empty text': '',
    zero: 0,
    false: false,
    'a symbol': Symbol('thrown'),
    'a function': () => {},
    'a frozen object': Object.freeze({ code: 5 }),
    'a frozen Error': Object.freeze(new Error('frozen')),
    'an Error with a cause': new Error('outer', { cause: new Error('inner') }),
    'an object in a circle': Object.assign(Object.create(null), {
      get self() {
        return this
      },
    }),
    'a bigint': 5n,
    'an object that cannot be shown': {
      toJSON() {
        throw new Error('no JSON')
      },
    },
  }
  test.each(Object.entries(thrown))('is the cause of the error, identical: %s', async (_name, value) => {
    for (const fail of [
      () => {
        throw value
      },
      () => Promise.reject(value),
    ]) {
      const handler = workflow('throws').step('begin', { accepts: StartEvent }, fail).run(5)
      const error = (await rejection(handler.result())) as Error & { event: unknown }
      expect(error).toMatchObject({ code: 'step_failed', step: 'begin', attempt: 1, name: 'StepFailedError' })
      expect('cause' in error).toBe(true)
      expect(Object.is(error.cause, value)).toBe(true)
      expect(error.event).toEqual({ type: StartEvent.type, input: 5 })
      expect(handler.status).toBe('failed')
    }
  })

  test('fails the run even when it breaks at every touch', async () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('do not read me')
        },
        getPrototypeOf: () => {
          throw new Error('do not ask for my class')
        },
      },
    )
    const handler = workflow('hostile')
      .step('begin', { accepts: StartEvent }, () => {
        throw hostile
      })
      .run()
    const error = (await Promise.race([rejection(handler.result()), turns(10)])) as { code: string; cause: unknown }
    expect(handler.status).toBe('failed')
    expect(error.code).toBe('step_failed')
    expect(error.cause === hostile).toBe(true)
    expect(await handler.stream().next()).toEqual({ done: true, value: undefined })
  })

  test('fails the run also when it is a frozen error of the library', async () => {
    const Checked = defineEvent('Checked', z.object({ n: z.number() }))
    const handler = workflow('frozen')
      .step('begin', { accepts: StartEvent }, () => {
        try {
          Checked({ n: 'no number' } as never)
        } catch (error) {
          throw Object.freeze(error as object)
        }
        return null
      })
      .step('checked', { accepts: Checked }, () => null)
      .run()
    const error = await Promise.race([rejection(handler.result()), turns(10)])
    expect(error).toMatchObject({ message: expect.stringContaining('does not fit its schema') })
  })
})

describe('a thenable that a step returns', () => {
  test('is awaited, and its rejection fails the step', async () => {
    const reason = { rejected: true }
    // biome-ignore lint/suspicious/noThenProperty: the test is about one
    const thenable = { then: (_resolve: unknown, reject: (error: unknown) => void) => reject(reason) }
    const flow = workflow('thenable').step('begin', { accepts: StartEvent }, () => thenable as never)
    expect(await rejection(flow.run().result())).toMatchObject({ code: 'step_failed', cause: reason })
  })

  test('whose `then` throws fails the step', async () => {
    const reason = new Error('then throws')
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: the test is about one
      get then(): never {
        throw reason
      },
    }
    const flow = workflow('thenable').step('begin', { accepts: StartEvent }, () => thenable as never)
    expect(await rejection(flow.run().result())).toMatchObject({ code: 'step_failed', cause: reason })
  })
})

describe('a listener on the actor of a run', () => {
  test('sees the run move to its end', async () => {
    const handler = quick.run()
    const values: unknown[] = []
    handler.actor.subscribe({ next: ({ value }) => values.push(value), error: () => values.push('error') })
    await handler.result()
    expect(values.at(-1)).toBe('completed')
  })

  test('without an error callback is no reason to throw globally when the run fails', async () => {
    const handler = workflow('fails')
      .step('begin', { accepts: StartEvent }, async () => {
        await turns()
        throw new Error('told to those who ask')
      })
      .run()
    handler.actor.subscribe(() => {})
    expect(await rejection(handler.result())).toMatchObject({ code: 'step_failed' })
  })
})

describe('the input of a run', () => {
  const flow = workflow('input', { input: z.object({ n: z.number().default(3) }) }).step(
    'begin',
    { accepts: StartEvent },
    (event) => StopEvent({ result: event.n }),
  )
  test('is checked and completed before anything runs', async () => {
    expect(await flow.run().result()).toBe(3)
    expect(await flow.run({ n: 4 }).result()).toBe(4)
    expect(() => flow.run({ n: 'four' } as never)).toThrow(EventValidationError)
  })

  test('must not have a field `type`', () => {
    expect(() => quick.run({ type: 'mine' })).toThrow(expect.objectContaining({ code: 'event_validation' }))
  })
})
