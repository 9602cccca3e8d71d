import { type } from 'arktype'
import {
  type AnyEvent,
  BlazenError,
  defineEvent,
  EventValidationError,
  InputRequestEvent,
  InputResponseEvent,
  StartEvent,
  StepFailedError,
  StopEvent,
  typeOnly,
  workflow,
} from 'blazen-xstate'
import * as v from 'valibot'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'

/** What `fn` throws. */
function thrown(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown.')
}

/** What `fn` throws, which has to be a refusal of an event's data. */
function refusal(fn: () => unknown): EventValidationError {
  const error = thrown(fn)
  expect(error).toBeInstanceOf(EventValidationError)
  return error as EventValidationError
}

/** For what the compiler refuses and JavaScript does not. */
const defineAny = defineEvent as (type: unknown, schema?: unknown) => (data?: unknown) => AnyEvent

/** A schema of one's own. */
function schemaOf(validate: (value: unknown) => unknown): unknown {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

describe('an event', () => {
  const Greet = defineEvent('Greet', z.object({ name: z.string(), times: z.number().default(1) }))

  test('is a plain object with its type and its data side by side', () => {
    const event = Greet({ name: 'Zach' })
    expect(event).toStrictEqual({ type: 'Greet', name: 'Zach', times: 1 })
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype)
  })

  test('is made anew by each call, and leaves the data as it was', () => {
    const data = Object.freeze({ name: 'Zach' })
    expect(Greet(data)).not.toBe(Greet(data))
    expect(data).toStrictEqual({ name: 'Zach' })
  })

  test('needs no data where its schema requires none', () => {
    const Ping = defineEvent('Ping', z.object({ n: z.number().default(3) }))
    expect(Ping()).toStrictEqual({ type: 'Ping', n: 3 })
    expect(defineEvent('Empty')()).toStrictEqual({ type: 'Empty' })
  })

  test('without a schema takes its data as it is, by identity', () => {
    const connection = { open: true }
    const Loose = defineEvent<{ connection: object }>('Loose')
    expect(Loose({ connection }).connection).toBe(connection)
    expect(Loose.schema).toBeUndefined()
    expect(defineEvent('Typed', typeOnly<{ connection: object }>())({ connection }).connection).toBe(connection)
  })

  test('is recognised by its type alone, and nothing else is', () => {
    expect(Greet.type).toBe('Greet')
    expect(Greet.is(Greet({ name: 'Zach' }))).toBe(true)
    expect(Greet.is({ type: 'Greet' })).toBe(true)
    for (const other of [{ type: 'Greeting' }, { name: 'Zach' }, Greet, 'Greet', 5, null, undefined, []])
      expect(Greet.is(other)).toBe(false)
  })

  test('refuses data that is no object', () => {
    for (const data of ['Zach', 5, true, [1]]) {
      expect(refusal(() => defineAny('Loose')(data)).message).toContain('The data of "Loose" has to be an object')
      expect(refusal(() => defineAny('Greet', Greet.schema)(data)).eventType).toBe('Greet')
    }
  })

  test('refuses data with a field `type`, with a schema and without', () => {
    const message = 'The data of "Typed" has a field `type`, which is the event\'s own. Give it another name.'
    expect(refusal(() => defineAny('Typed')({ type: 'mine' })).message).toBe(message)
    expect(refusal(() => defineAny('Typed')({ type: undefined })).message).toBe(message)
    const schema = z.object({ type: z.string() })
    expect(refusal(() => defineAny('Typed', schema)({ type: 'mine' })).message).toBe(message)
    const transforming = z.object({}).transform(() => ({ type: 'mine' }))
    expect(refusal(() => defineAny('Typed', transforming)({})).message).toBe(message)
  })
})

describe('an event type', () => {
  test.each([
    ['xstate.init', 'begins with "xstate.", which is kept for the engine'],
    ['xstate.', 'begins with "xstate."'],
    ['blazen.x', 'begins with "blazen.", which is kept for the engine'],
    ['blazen::StopEvent', 'begins with "blazen::", which is kept for the engine'],
    ['*', 'holds "*", which means "any event" in a statechart'],
    ['a*b', 'holds "*"'],
    ['', 'is no name'],
    [undefined, 'The event type undefined is no name'],
    [null, 'is no name'],
    [5, 'The event type 5 is no name'],
    [5n, 'is no name'],
    [Symbol('x'), 'The event type Symbol(x) is no name'],
    [{ type: 'Greet' }, 'is no name'],
  ])('is refused if it is %o', (name, problem) => {
    const error = thrown(() => defineAny(name))
    expect(error).toBeInstanceOf(BlazenError)
    expect((error as BlazenError).code).toBe('event_type')
    expect((error as BlazenError).message).toContain(problem)
    expect((error as BlazenError).message).toContain('Choose another name.')
  })

  test.each(['xstate', 'Blazen.x', 'my.xstate.event', 'greet.blazen::x', 'a.b', '__proto__', 'constructor', '🙂', ' '])(
    'may be %o, and is routed exactly',
    async (name) => {
      const Named = defineEvent(name, typeOnly<{ n: number }>())
      expect(Named({ n: 1 })).toStrictEqual({ type: name, n: 1 })
      const flow = workflow('named')
        .step('begin', { accepts: StartEvent }, () => Named({ n: 2 }))
        .step('end', { accepts: Named }, ({ n }) => StopEvent({ result: n }))
      await expect(flow.run().result()).resolves.toBe(2)
    },
  )

  test.each([[{}], ['z.object'], [5], [null], [{ '~standard': {} }], [{ parse: () => ({}) }]])(
    'refuses %o for a schema',
    (schema) => {
      const error = thrown(() => defineAny('Greet', schema))
      expect((error as BlazenError).code).toBe('event_schema')
      expect((error as BlazenError).message).toContain('The schema of "Greet" does not speak Standard Schema')
    },
  )
})

describe('a schema', () => {
  const libraries = {
    zod: defineEvent(
      'Order',
      z.object({
        id: z.string().transform(Number),
        note: z.string().default('none'),
        lines: z.array(z.object({ price: z.number() })),
      }),
    ),
    valibot: defineEvent(
      'Order',
      v.object({
        id: v.pipe(v.string(), v.transform(Number)),
        note: v.optional(v.string(), 'none'),
        lines: v.array(v.object({ price: v.number() })),
      }),
    ),
    arktype: defineEvent(
      'Order',
      type({ id: 'string.numeric.parse', note: "string = 'none'", lines: type({ price: 'number' }).array() }),
    ),
  }
  type Order = (data: unknown) => AnyEvent

  describe.each(Object.entries(libraries))('of %s', (_name, Order) => {
    test('gives the data of the event: parsed, transformed, completed', () => {
      const event = Order({ id: '7', lines: [{ price: 1 }] })
      expect(event).toStrictEqual({ type: 'Order', id: 7, note: 'none', lines: [{ price: 1 }] })
    })

    test('refuses what does not fit, with every issue and where it is', () => {
      const error = refusal(() => (Order as Order)({ id: 7, lines: [{ price: 1 }, { price: 'much' }] }))
      expect(error.code).toBe('event_validation')
      expect(error.eventType).toBe('Order')
      expect(error.issues.map(({ path }) => path).sort()).toEqual(['id', 'lines.1.price'])
      expect(error.message).toContain('The data of "Order" does not fit its schema: ')
      for (const { path, message } of error.issues) {
        expect(message).not.toBe('')
        expect(error.message).toContain(`${path}: ${message}`)
      }
    })
  })

  test('that answers later is refused, and leaves no rejection behind', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const fails = schemaOf(() => Promise.reject(new Error('later')))
    for (const schema of [fails, schemaOf(async (value) => ({ value })), z.object({}).refine(async () => true)]) {
      expect(refusal(() => defineAny('Async', schema)({})).message).toContain('the schema is asynchronous')
    }
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })

  test('that gives no object is refused when the event is made', () => {
    const Text = defineAny('Text', z.object({}).transform(String))
    expect(refusal(() => Text({})).message).toContain('The schema of "Text" gives a string: expected an object')
    const List = defineAny('List', z.object({}).transform(Object.keys))
    expect(refusal(() => List({})).message).toContain('The schema of "List" gives an array')
  })

  test('that throws tells of it as it is', () => {
    const failure = new Error('broken schema')
    const broken = schemaOf(() => {
      throw failure
    })
    expect(thrown(() => defineAny('Broken', broken)({}))).toBe(failure)
  })
})

describe('the data of an event in a run', () => {
  /** Counts how often it parses; parsing twice would fail, as a number is no text. */
  function createParsed() {
    const parsed = vi.fn(Number)
    const Parsed = defineEvent('Parsed', z.object({ n: z.string().transform(parsed) }))
    const flow = workflow('parse', { idle: 'wait' }).step('end', { accepts: [Parsed] }, ({ n }) =>
      StopEvent({ result: n }),
    )
    return { parsed, Parsed, flow }
  }

  test('is parsed once if its creator made it: returned, in an array, or sent', async () => {
    const { parsed, Parsed, flow } = createParsed()
    const returned = flow.step('begin', { accepts: StartEvent }, () => Parsed({ n: '1' }))
    await expect(returned.run().result()).resolves.toBe(1)
    const listed = flow.step('begin', { accepts: StartEvent }, async () => [Parsed({ n: '2' })])
    await expect(listed.run().result()).resolves.toBe(2)
    const sent = flow.step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.sendEvent(Parsed({ n: '3' })))
    await expect(sent.run().result()).resolves.toBe(3)
    const outside = flow.step('begin', { accepts: StartEvent }, () => null).run()
    await outside.sendEvent(Parsed({ n: '4' }))
    await expect(outside.result()).resolves.toBe(4)
    expect(parsed).toHaveBeenCalledTimes(4)
  })

  test('is parsed if it was written out as a plain object', async () => {
    const { parsed, flow } = createParsed()
    const returned = flow.step('begin', { accepts: StartEvent }, () => ({ type: 'Parsed', n: '5' }))
    await expect(returned.run().result()).resolves.toBe(5)
    const copied = flow.step('begin', { accepts: StartEvent }, () => [{ type: 'Parsed', n: '6' }])
    await expect(copied.run().result()).resolves.toBe(6)
    expect(parsed).toHaveBeenCalledTimes(2)
  })

  test('is parsed without its type, which is no field of the schema', async () => {
    const Strict = defineEvent('Strict', z.strictObject({ n: z.number() }))
    const flow = workflow('strict')
      .step('begin', { accepts: StartEvent }, () => ({ type: 'Strict', n: 1 }))
      .step('end', { accepts: Strict }, (event) => StopEvent({ result: event }))
    await expect(flow.run().result()).resolves.toStrictEqual({ type: 'Strict', n: 1 })
  })

  test('is parsed by the schema of the workflow if another one has made it', async () => {
    const Strict = defineEvent('Order', z.object({ n: z.number().max(10) }))
    const Lax = defineEvent('Order', z.object({ n: z.number() }))
    const flow = workflow('two schemas')
      .step('begin', { accepts: StartEvent }, () => Lax({ n: 11 }))
      .step('end', { accepts: Strict }, () => StopEvent())
    const error: unknown = await flow
      .run()
      .result()
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(EventValidationError)
    expect((error as EventValidationError).step).toBe('begin')
  })

  test('fails the run, naming the step, if a step returns what does not fit', async () => {
    const { flow } = createParsed()
    const handler = flow.step('begin', { accepts: StartEvent }, () => ({ type: 'Parsed', n: 5 })).run()
    const error: unknown = await handler.result().catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(EventValidationError)
    expect(error).toMatchObject({ step: 'begin', eventType: 'Parsed', issues: [{ path: 'n' }] })
  })

  test('fails the run in the same way if the creator refuses it within the step', async () => {
    const { flow, Parsed } = createParsed()
    const handler = flow.step('begin', { accepts: StartEvent }, () => Parsed({ n: 5 as never })).run()
    const error: unknown = await handler.result().catch((reason: unknown) => reason)
    expect(error).not.toBeInstanceOf(StepFailedError)
    expect(error).toMatchObject({ name: 'EventValidationError', step: 'begin', issues: [{ path: 'n' }] })
  })

  test('from outside is refused if it does not fit, and the run goes on', async () => {
    const { flow } = createParsed()
    const handler = flow.step('begin', { accepts: StartEvent }, () => null).run()
    const bad = { type: 'Parsed', n: 5 }
    await expect(handler.sendEvent(bad)).rejects.toMatchObject({ name: 'EventValidationError', step: undefined })
    await handler.sendEvent({ type: 'Parsed', n: '8' } as AnyEvent)
    await expect(handler.result()).resolves.toBe(8)
  })
})

describe('an event of the engine', () => {
  test('is a plain object as any other', () => {
    expect(StopEvent({ result: 1 })).toStrictEqual({ type: 'blazen::StopEvent', result: 1 })
    expect(StopEvent()).toStrictEqual({ type: 'blazen::StopEvent', result: undefined })
    expect(InputRequestEvent({ requestId: 'r', prompt: 'Go on?', metadata: [1] })).toStrictEqual({
      type: 'blazen::InputRequestEvent',
      requestId: 'r',
      prompt: 'Go on?',
      metadata: [1],
    })
    expect(InputResponseEvent({ requestId: 'r', response: true })).toStrictEqual({
      type: 'blazen::InputResponseEvent',
      requestId: 'r',
      response: true,
    })
  })

  test('holds the very result that it was given', () => {
    const result = { open: true }
    expect(StopEvent({ result }).result).toBe(result)
  })

  test('cannot be made another by its data', () => {
    const data = { requestId: 'r', prompt: 'Go on?', response: 1, type: 'mine' }
    expect(InputRequestEvent(data).type).toBe('blazen::InputRequestEvent')
    expect(InputResponseEvent(data).type).toBe('blazen::InputResponseEvent')
  })

  test('gets a request id of its own where none is given', () => {
    const [one, two] = [InputRequestEvent({ prompt: 'a' }), InputRequestEvent({ prompt: 'b' })]
    expect(one.requestId).toMatch(/^[0-9a-f-]{36}$/)
    expect(one.requestId).not.toBe(two.requestId)
  })

  test('is recognised by its type', () => {
    for (const Type of [StartEvent, StopEvent, InputRequestEvent, InputResponseEvent]) {
      expect(Type.is({ type: Type.type })).toBe(true)
      expect(Type.is({ type: 'Greet' })).toBe(false)
      expect(Type.schema).toBeUndefined()
    }
  })
})
