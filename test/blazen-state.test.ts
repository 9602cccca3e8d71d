import {
  BlazenState,
  CallbackFieldStore,
  defineEvent,
  type FieldContext,
  InputRequestEvent,
  InputResponseEvent,
  registerClass,
  type Schema,
  StartEvent,
  type StepContext,
  StopEvent,
  typeOnly,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { createActor } from 'xstate'
import { z } from 'zod'
import { runInProcess } from './child-process.ts'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
const Next = defineEvent('Next')
type Context = StepContext<Record<string, unknown>>
type Use = (ctx: Context) => unknown

class Counter extends BlazenState {
  count = 0
  label = ''
  list: string[] = []
}

/** A field store in memory, and what was asked of it. */
function createStore() {
  const values = new Map<string, unknown>()
  const calls: string[] = []
  const versions: string[] = []
  let failures = 0
  const store = new CallbackFieldStore({
    save: async (key, value, ctx: FieldContext) => {
      await turns(1)
      if (failures-- > 0) throw new Error('the disk is full')
      calls.push(`save ${key}`)
      versions.push(ctx.version)
      values.set(key, value)
    },
    load: async (key, ctx) => {
      await turns(1)
      calls.push(`load ${key}`)
      versions.push(ctx.version)
      return values.get(key)
    },
  })
  return { store, values, calls, versions, failNext: (count = 1) => (failures = count) }
}

/** A run whose first step does `first`; it waits then for a `Next`, upon which `second` gives the result. */
function twoParts(first: Use, second: Use, classes: (typeof BlazenState)[], name = 'two parts') {
  return workflow(name, { classes, idle: 'wait', external: [Next] })
    .step('first', { accepts: StartEvent }, async (_event, ctx) => {
      await first(ctx)
    })
    .step('second', { accepts: Next }, async (_event, ctx) => StopEvent({ result: { given: await second(ctx) } }))
}

function toText(snapshot: WorkflowSnapshot): WorkflowSnapshot {
  return JSON.parse(JSON.stringify(snapshot))
}

/** What `second` gives in a run that was resumed from text, after `first` had run in another. */
async function overText(
  first: Use,
  second: Use,
  classes: (typeof BlazenState)[],
  others: (typeof BlazenState)[] = classes,
): Promise<unknown> {
  const snapshot = await snapshotAfter(first, classes)
  const handler = twoParts(() => {}, second, others).resume(toText(snapshot))
  await handler.sendEvent(Next())
  return ((await handler.result()) as { given: unknown }).given
}

async function snapshotAfter(first: Use, classes: (typeof BlazenState)[]): Promise<WorkflowSnapshot> {
  const handler = twoParts(first, () => {}, classes).run()
  await turns(10)
  const snapshot = await handler.pause()
  handler.abort()
  return snapshot
}

/** What `use` gives when a step calls it with its context. */
async function inStep<Result>(use: (ctx: Context) => Result | Promise<Result>): Promise<Result> {
  const { given } = await workflow('one step')
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => StopEvent({ result: { given: await use(ctx) } }))
    .run()
    .result()
  return given as Result
}

/** The entries of the committed state, by their keys. */
function entriesOf(handler: { actor: { getSnapshot(): unknown } }): ReadonlyMap<string, unknown> {
  const { context } = handler.actor.getSnapshot() as {
    context: { run: { state: { committed: ReadonlyMap<string, unknown> } } }
  }
  return context.run.state.committed
}

describe('in one process', () => {
  test('every step gets the same instance, however it was set', async () => {
    const s = new Counter()
    const result = await workflow('same')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('a', s)
        ctx.state.b = new Counter()
        ctx.state.set('c', new Counter())
        return Next()
      })
      .step('next', { accepts: Next }, (_event, ctx) =>
        StopEvent({
          result: [
            ctx.get('a') === s,
            ctx.state.a === ctx.state.get('a'),
            ctx.get('b') === ctx.state.b,
            ctx.state.b instanceof Counter,
            ctx.get('c') instanceof Counter,
          ],
        }),
      )
      .run()
      .result()
    expect(result).toEqual([true, true, true, true, true])
  })

  test('its fields are no keys, and users may have any', async () => {
    const given = await inStep((ctx) => {
      ctx.set('state', new Counter())
      ctx.set('state.count', 'mine')
      ctx.set('blazen::field["state","count"]', 'mine too')
      ctx.set('blazen::key/x', 1)
      return {
        keys: [...ctx.state.keys()],
        size: ctx.state.size,
        values: ['state.count', 'blazen::field["state","count"]', 'blazen::key/x'].map((key) => ctx.get(key)),
        has: ['blazen::field["state","label"]', 'blazen::key/x'].map((key) => ctx.state.has(key)),
        count: ctx.get<Counter>('state')?.count,
      }
    })
    expect(given).toEqual({
      keys: ['state', 'state.count', 'blazen::field["state","count"]', 'blazen::key/x'],
      size: 4,
      values: ['mine', 'mine too', 1],
      has: [false, true],
      count: 0,
    })
  })

  test('a set writes the fields that have changed, and no others', async () => {
    const { store, calls } = createStore()
    class Big extends BlazenState {
      static override meta = { storeBy: { weights: store, bias: store } }
      count = 0
      tags: string[] = []
      weights = new Uint8Array([1])
      bias = new Float64Array([0.5])
    }
    const seen: Map<string, unknown>[] = []
    const flow = workflow('changed', { idle: 'wait', external: [Job] }).step(
      'job',
      { accepts: [StartEvent, Job] },
      (event, ctx) => {
        const s = ctx.get<Big>('state') ?? new Big()
        if (Job.is(event)) {
          if (event.n === 1) s.tags.push('new')
          if (event.n === 3) s.weights[0] = 9
        }
        ctx.set('state', s)
      },
    )
    const handler = flow.run()
    const look = async () => {
      await turns(8)
      seen.push(new Map(entriesOf(handler)))
    }
    await look()
    for (const n of [1, 2, 3]) {
      await handler.sendEvent(Job({ n }))
      await look()
    }
    handler.abort()
    const changed = (at: number) =>
      [...(seen[at] ?? [])].filter(([key, entry]) => seen[at - 1]?.get(key) !== entry).map(([key]) => key)
    expect(changed(0)).toEqual([
      'state',
      ...['count', 'tags', 'weights', 'bias'].map((field) => `blazen::field["state","${field}"]`),
    ])
    expect(changed(1)).toEqual(['state', 'blazen::field["state","tags"]'])
    expect(changed(2)).toEqual([])
    expect(changed(3)).toEqual(['state', 'blazen::field["state","weights"]'])
    expect(calls).toEqual(['save state.weights', 'save state.bias', 'save state.weights'])
  })

  test.each([
    ['another value', (ctx: Context) => ctx.set('state', 1)],
    ['deleting it', (ctx: Context) => ctx.state.delete('state')],
    ['a property', (ctx: Context) => delete ctx.state.state],
  ])('%s takes it away with all its fields', async (_name, replace) => {
    const handler = twoParts((ctx) => ctx.set('state', new Counter()), replace, []).run()
    await turns()
    expect([...entriesOf(handler).keys()]).toHaveLength(4)
    await handler.sendEvent(Next())
    await handler.result()
    expect([...entriesOf(handler).keys()].filter((key) => key !== 'state')).toEqual([])
  })

  test('another object takes its place whole', async () => {
    class Other extends BlazenState {
      other = 1
    }
    const handler = twoParts(
      (ctx) => ctx.set('state', new Counter()),
      (ctx) => ctx.set('state', new Other()),
      [],
    ).run()
    await turns()
    await handler.sendEvent(Next())
    await handler.result()
    expect([...entriesOf(handler).keys()]).toEqual(['state', 'blazen::field["state","other"]'])
  })

  test('it is no value for a recipe', async () => {
    const error = await rejection(
      inStep((ctx) => {
        ctx.set('state', new Counter())
        ctx.state.update('state', () => 1)
      }),
    )
    expect(error).toMatchObject({ cause: { code: 'state_update' } })
  })

  test.each<[string, () => BlazenState, string, string]>([
    [
      'a constructor with parameters',
      () =>
        new (class Strict extends BlazenState {
          size: number
          constructor(options: { size: number }) {
            super()
            this.size = options.size
          }
        })({ size: 1 }),
      'state_constructor',
      'class Strict cannot be constructed without arguments',
    ],
    ['a class without a name', () => new (class extends BlazenState {})(), 'state_invalid', 'has no name'],
    [
      'a getter of its own',
      () => Object.defineProperty(new Counter(), 'sum', { get: () => 1, enumerable: true }),
      'state_invalid',
      'field "sum" is a getter',
    ],
    [
      'an object that holds itself',
      () => Object.assign(new Counter(), { self: undefined }),
      'state_invalid',
      'field "self" is the very object that the state itself is',
    ],
  ])('%s is refused by set', async (_name, create, code, says) => {
    const s = create()
    if ('self' in s) s.self = s
    const error = await rejection(inStep((ctx) => ctx.set('state', s)))
    expect(error).toMatchObject({ cause: { name: 'BlazenStateError', code, key: 'state' } })
    expect(String(error)).toContain(says)
  })

  test('types: a declared state has the class, and any other is named at get', () => {
    workflow('typed', { state: typeOnly<{ state: Counter }>() }).step('a', { accepts: StartEvent }, (_event, ctx) => {
      expectTypeOf(ctx.state.state).toEqualTypeOf<Counter>()
      expectTypeOf(ctx.get('state')).toEqualTypeOf<Counter | undefined>()
      ctx.set('state', new Counter())
      // @ts-expect-error not what was declared
      ctx.set('state', 1)
    })
    workflow('untyped').step('a', { accepts: StartEvent }, (_event, ctx) => {
      expectTypeOf(ctx.get<Counter>('state')).toEqualTypeOf<Counter | undefined>()
    })
  })
})

describe('an attempt that fails', () => {
  test('leaves the object as it was, set or not', async () => {
    const conn = { open: true }
    class Connected extends Counter {
      static override meta = { transient: ['conn'] }
      conn: unknown = null
    }
    const seen: unknown[] = []
    const result = await workflow('retried')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', Object.assign(new Connected(), { list: ['kept'], conn }))
        return Next()
      })
      .step('next', { accepts: Next, retry: { attempts: 3 } }, (_event, ctx) => {
        const s = ctx.get<Connected>('state')
        if (s === undefined) throw new Error('gone')
        seen.push({ ...s, list: [...s.list] })
        s.count++
        s.list.push(`attempt ${ctx.attempt}`)
        if (ctx.attempt === 1) throw new Error('before the set')
        ctx.set('state', s)
        if (ctx.attempt === 2) throw new Error('after the set')
        return StopEvent({ result: { count: s.count, list: s.list, same: ctx.get('state') === s, conn: s.conn } })
      })
      .run()
      .result()
    expect(seen).toEqual(Array(3).fill({ count: 0, label: '', list: ['kept'], conn }))
    expect(result).toEqual({ count: 1, list: ['kept', 'attempt 3'], same: true, conn })
    expect((result as { conn: unknown }).conn).toBe(conn)
  })

  test('commits what a second attempt sets of an instance from elsewhere', async () => {
    const s = new Counter()
    const handler = workflow('closure', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', s)
        return Next()
      })
      .step('next', { accepts: Next, retry: { attempts: 2 } }, (_event, ctx) => {
        s.count = 5
        ctx.set('state', s)
        if (ctx.attempt === 1) throw new Error('again')
      })
      .run()
    await turns(6)
    expect(entriesOf(handler).get('blazen::field["state","count"]')).toBe(5)
    handler.abort()
  })

  test('because a field store fails names the field, writes nothing, and is retried', async () => {
    const { store, calls, failNext } = createStore()
    class Big extends BlazenState {
      static override meta = { storeBy: { weights: store } }
      count = 0
      weights = new Uint8Array([1])
    }
    const errors: unknown[] = []
    const counts: unknown[] = []
    const result = await workflow('failing store')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', new Big())
        return Next()
      })
      .step(
        'next',
        { accepts: Next, retry: { attempts: 2, when: (error) => errors.push(error) > 0 } },
        (_event, ctx) => {
          if (ctx.attempt === 1) failNext()
          const s = ctx.get<Big>('state') ?? new Big()
          counts.push(s.count, s.weights[0])
          s.count++
          s.weights[0] = 2
          ctx.set('state', s)
          return Job({ n: 1 })
        },
      )
      .step('job', { accepts: Job }, (_event, ctx) => {
        const s = ctx.get<Big>('state')
        return StopEvent({ result: [s?.count, s?.weights[0]] })
      })
      .run()
      .result()
    expect(counts).toEqual([0, 1, 0, 1])
    expect(result).toEqual([1, 2])
    expect(errors).toMatchObject([{ code: 'field_save', key: 'state', field: 'weights', className: 'Big' }])
    expect(calls).toEqual(['save state.weights', 'save state.weights'])
  })

  test('for good fails the run with the error of the store, and nothing was written', async () => {
    const { store, failNext } = createStore()
    class Big extends BlazenState {
      static override meta = { storeBy: { weights: store } }
      count = 7
      weights = new Uint8Array([1])
    }
    failNext()
    const handler = workflow('failing for good')
      .step('begin', { accepts: StartEvent, emits: StopEvent }, (_event, ctx) => {
        ctx.set('state', new Big())
        ctx.set('other', 1)
        return StopEvent({ result: 1 })
      })
      .run()
    const error = await rejection(handler.result())
    expect(error).toMatchObject({ name: 'BlazenStateError', code: 'field_save', field: 'weights' })
    expect(String(error)).toContain('the disk is full')
    expect(entriesOf(handler).size).toBe(0)
  })

  test('by time while its store is slow writes nothing', async () => {
    const gate = createGate()
    class Slow extends BlazenState {
      static override meta = {
        storeBy: { weights: new CallbackFieldStore({ save: () => gate.opened, load: () => 1 }) },
      }
      weights = 1
    }
    const handler = workflow('slow store')
      .step('begin', { accepts: StartEvent, timeout: 10 }, (_event, ctx) => {
        ctx.set('state', new Slow())
        return StopEvent()
      })
      .run()
    expect(await rejection(handler.result())).toMatchObject({ name: 'StepTimeoutError' })
    gate.open()
    await turns()
    expect(entriesOf(handler).size).toBe(0)
  })
})

describe('two steps at work on one object', () => {
  /** Two steps change a field each; they settle, or fail, in an order. */
  async function race(order: readonly (readonly ['a' | 'b', 'settles' | 'fails'])[]) {
    const gates = { a: createGate(), b: createGate() }
    class Two extends BlazenState {
      a = 0
      b = 0
    }
    const handler = workflow('race', { idle: 'wait', external: [Job] })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', new Two())
        return Next()
      })
      .steps(
        (['a', 'b'] as const).map((name) => [
          name,
          {
            options: { accepts: Next, retry: { attempts: 2, when: () => true } },
            run: async (_event: unknown, ctx: Context) => {
              if (ctx.attempt === 2) return
              const s = ctx.get<Two>('state')
              if (s === undefined) throw new Error('gone')
              s[name] = 1
              ctx.set('state', s)
              await gates[name].opened
            },
          },
        ]) as never,
      )
      .run()
    await turns()
    for (const [name, end] of order) {
      if (end === 'settles') gates[name].open()
      else gates[name].fail(new Error('failed'))
      await turns()
    }
    const { committed } = { committed: entriesOf(handler) }
    const snapshot = toText(handler.snapshot())
    handler.abort()
    const read = (key: string) => committed.get(`blazen::field["state","${key}"]`)
    const instance = (committed.get('state') as { read(): Two }).read()
    return { entries: [read('a'), read('b')], instance: [instance.a, instance.b], snapshot }
  }

  test.each([
    [
      [
        ['a', 'settles'],
        ['b', 'settles'],
      ],
      [1, 1],
    ],
    [
      [
        ['b', 'settles'],
        ['a', 'settles'],
      ],
      [1, 1],
    ],
    [
      [
        ['a', 'fails'],
        ['b', 'settles'],
      ],
      [0, 1],
    ],
    [
      [
        ['b', 'settles'],
        ['a', 'fails'],
      ],
      [0, 1],
    ],
    [
      [
        ['b', 'fails'],
        ['a', 'settles'],
      ],
      [1, 0],
    ],
    [
      [
        ['a', 'settles'],
        ['b', 'fails'],
      ],
      [1, 0],
    ],
    [
      [
        ['a', 'fails'],
        ['b', 'fails'],
      ],
      [0, 0],
    ],
  ] as const)('%j commit each their own field', async (order, expected) => {
    const { entries, instance } = await race(order)
    expect(entries).toEqual(expected)
    expect(instance).toEqual(expected)
  })

  test('with a field store, the last to settle is the last to save', async () => {
    const { store, values, calls } = createStore()
    class Big extends BlazenState {
      static override meta = { storeBy: { weights: store } }
      weights = 0
    }
    const handler = workflow('savers', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', new Big())
        return [1, 2, 3].map((n) => Job({ n }))
      })
      .step('job', { accepts: Job }, ({ n }, ctx) => {
        const s = ctx.get<Big>('state') ?? new Big()
        s.weights = n
        ctx.set('state', s)
      })
      .run()
    await turns(20)
    const marker = entriesOf(handler).get('blazen::field["state","weights"]')
    handler.abort()
    expect(values.get('state.weights')).toBe(3)
    expect(marker).toMatchObject({ version: expect.any(String) })
    expect(calls.at(-1)).toBe('save state.weights')
  })
})

describe('out of a snapshot', () => {
  test('it is rebuilt: class, fields of every tier, and nothing of it is frozen', async () => {
    class Wide extends BlazenState {
      text = ''
      when = new Date(0)
      map = new Map<string, number[]>()
      bytes = new Uint8Array()
      nothing: undefined | string = 'something'
      big = 0n
    }
    const given = await overText(
      (ctx) =>
        ctx.set(
          'state',
          Object.assign(new Wide(), {
            text: 'a',
            when: new Date(5),
            map: new Map([['x', [1]]]),
            bytes: new Uint8Array([1, 2]),
            nothing: undefined,
            big: 10n,
          }),
        ),
      (ctx) => {
        const s = ctx.get<Wide>('state')
        s?.map.get('x')?.push(2)
        return { s, isWide: s instanceof Wide, same: s === ctx.state.state, keys: [...ctx.state.keys()] }
      },
      [Wide],
    )
    expect(given).toEqual({
      isWide: true,
      same: true,
      keys: ['state'],
      s: Object.assign(new Wide(), {
        text: 'a',
        when: new Date(5),
        map: new Map([['x', [1, 2]]]),
        bytes: new Uint8Array([1, 2]),
        nothing: undefined,
        big: 10n,
      }),
    })
  })

  test('the snapshot holds class and fields, and of a field store only a marker', async () => {
    const { store } = createStore()
    class Big extends BlazenState {
      static override meta = { transient: ['conn'], storeBy: { weights: store } }
      path = 'in'
      weights = new Uint8Array(1000)
      conn: unknown = () => {}
    }
    const { context } = await snapshotAfter((ctx) => ctx.set('state', new Big()), [Big])
    expect(context.state).toEqual([
      [
        'state',
        {
          object: {
            class: 'Big',
            fields: [
              ['path', 'value'],
              ['weights', 'store'],
            ],
            extra: [],
          },
        },
      ],
      ['blazen::field["state","path"]', { json: 'in' }],
      ['blazen::field["state","weights"]', { json: { version: expect.any(String) } }],
    ])
  })

  test('stores are awaited, transient fields are null, inner states are restored before outer ones, once', async () => {
    const log: string[] = []
    const { store, calls, versions } = createStore()
    class Inner extends BlazenState {
      static override meta = { transient: ['cache'], storeBy: { weights: store } }
      weights = new Uint8Array()
      cache: unknown = 'fresh'
      override async restore() {
        await turns(2)
        log.push(`inner ${this.weights} ${this.cache}`)
        this.cache = 'restored'
      }
    }
    class Outer extends BlazenState {
      static override meta = { transient: ['conn'] }
      inner = new Inner()
      conn: unknown = () => {}
      override async restore() {
        log.push(`outer ${this.inner.cache} ${this.conn}`)
        this.conn = await Promise.resolve('connected')
      }
    }
    const given = await overText(
      (ctx) => {
        const outer = new Outer()
        outer.inner.weights = new Uint8Array([1, 2])
        ctx.set('state', outer)
      },
      (ctx) => {
        log.push('step')
        const s = ctx.get<Outer>('state')
        return [s?.inner instanceof Inner, s?.inner.weights, s?.inner.cache, s?.conn, ctx.get('state') === s]
      },
      [Outer, Inner],
    )
    expect(given).toEqual([true, new Uint8Array([1, 2]), 'restored', 'connected', true])
    expect(log).toEqual(['inner 1,2 null', 'outer restored null', 'step'])
    expect(calls).toEqual(['save state.inner.weights', 'load state.inner.weights'])
    expect(versions[0]).toBe(versions[1])
  })

  test.each(['in flight', 'waiting', 'paused', 'an actor alone'])('no step runs before: %s', async (how) => {
    const log: string[] = []
    class Slow extends BlazenState {
      n = 1
      override async restore() {
        await turns(4)
        log.push('restored')
      }
    }
    const gate = createGate()
    const create = () =>
      workflow('order', { classes: [Slow] })
        .step('begin', { accepts: StartEvent }, (_event, ctx) => {
          ctx.set('state', new Slow())
          return how === 'waiting' ? InputRequestEvent({ requestId: 'r', prompt: '?' }) : Next()
        })
        .step('next', { accepts: [Next, InputResponseEvent] }, async (_event, ctx) => {
          log.push(`step ${ctx.get<Slow>('state')?.n}`)
          await gate.opened
          return StopEvent({ result: 'done' })
        })
    const first = create().run()
    await turns()
    const snapshot = toText(how === 'paused' ? await first.pause({ inFlight: 'abort' }) : first.snapshot())
    first.abort()
    log.length = 0
    gate.open()
    if (how === 'an actor alone') {
      const actor = createActor(create().machine, { snapshot: snapshot as never }).start()
      await turns(10)
      expect(actor.getSnapshot().output).toBe('done')
    } else {
      const handler = create().resume(snapshot)
      if (how === 'waiting') await handler.respondToInput('r', 'yes')
      expect(await handler.result()).toBe('done')
    }
    expect(log).toEqual(['restored', 'step 1'])
  })

  test('a class that has changed: new fields have their defaults, removed ones are ignored', async () => {
    const { store } = createStore()
    const old = (() => {
      class Drift extends BlazenState {
        kept = 1
        removed = 'old'
        moved = 'into a store later'
        cached: string | null = 'transient later'
        restored = false
      }
      return Drift
    })()
    class Drift extends BlazenState {
      static override meta = { storeBy: { moved: store }, transient: ['cached'] }
      kept = 0
      moved = ''
      cached: string | null = null
      added = ['default']
    }
    const given = await overText(
      (ctx) => ctx.set('state', Object.assign(new old(), { kept: 2, extra: 'own' })),
      (ctx) => ({ ...ctx.get<Drift>('state') }),
      [old],
      [Drift],
    )
    expect(given).toEqual({
      kept: 2,
      moved: 'into a store later',
      cached: null,
      added: ['default'],
      extra: 'own',
    })
  })

  test('a change after a resume writes the changed fields alone', async () => {
    const { store, calls } = createStore()
    class Big extends BlazenState {
      static override meta = { storeBy: { weights: store } }
      count = 0
      weights = new Uint8Array([1])
    }
    await overText(
      (ctx) => ctx.set('state', new Big()),
      (ctx) => {
        const s = ctx.get<Big>('state') ?? new Big()
        s.count = 1
        ctx.set('state', s)
      },
      [Big],
    )
    expect(calls).toEqual(['save state.weights', 'load state.weights'])
  })

  test('a class registered for all workflows is found too', async () => {
    class Everywhere extends BlazenState {
      n = 0
    }
    registerClass(Everywhere, { name: 'test.Everywhere' })
    const given = await overText(
      (ctx) => ctx.set('state', Object.assign(new Everywhere(), { n: 3 })),
      (ctx) => ctx.get('state') instanceof Everywhere && ctx.get<Everywhere>('state')?.n,
      [],
    )
    expect(given).toBe(3)
  })

  test('a class that is not registered throws where it is read, and other state is readable', async () => {
    class Unknown extends BlazenState {
      inner = new Counter()
    }
    const given = await overText(
      (ctx) => {
        ctx.set('state', new Unknown())
        ctx.set('other', 'readable')
        ctx.set('counter', new Counter())
      },
      async (ctx) => {
        const error = await rejection(Promise.resolve().then(() => ctx.get('state')))
        ctx.set('state', 'another')
        return { error, other: ctx.get('other'), state: ctx.get('state'), counter: ctx.get<Counter>('counter')?.count }
      },
      [Unknown, Counter],
      [Counter],
    )
    expect(given).toMatchObject({
      error: { name: 'BlazenStateError', code: 'state_class_missing', key: 'state', className: 'Unknown' },
      other: 'readable',
      state: 'another',
      counter: 0,
    })
  })

  test.each<[string, Partial<{ load(): unknown; restore(): unknown }>, object]>([
    ['load', { load: () => Promise.reject(new Error('gone')) }, { code: 'field_load', field: 'weights' }],
    ['load that has nothing', { load: () => undefined }, { code: 'field_load', field: 'weights' }],
    [
      'restore',
      {
        restore: () => {
          throw new Error('gone')
        },
      },
      { code: 'state_restore', field: undefined },
    ],
  ])('a failing %s fails the run and names key, class and field', async (_name, how, expected) => {
    class Failing extends BlazenState {
      static override meta = {
        storeBy: { weights: new CallbackFieldStore({ save: () => {}, load: how.load ?? (() => 1) }) },
      }
      weights = 1
      override restore() {
        how.restore?.()
      }
    }
    let ran = false
    const error = await rejection(
      overText((ctx) => ctx.set('state', new Failing()), () => {
        ran = true
      }, [Failing]),
    )
    expect(error).toMatchObject({ name: 'BlazenStateError', key: 'state', className: 'Failing', ...expected })
    expect(ran).toBe(false)
  })

  test('a live value in a field is in the way of a pause, by its name; a transient one is not', async () => {
    class Live extends BlazenState {
      socket = () => {}
    }
    const handler = twoParts((ctx) => ctx.set('state', new Live()), () => {}, [Live]).run()
    await turns()
    expect(String(await rejection(handler.pause()))).toContain(
      'field "socket" of ctx.state "state" (set by step "first") holds a function',
    )
    handler.abort()
  })

  test('a live field that the policy drops is null, as a transient one is', async () => {
    class Live extends BlazenState {
      socket: unknown = 'none'
      n = 1
    }
    const create = (first: Use) =>
      workflow('dropping', { classes: [Live], sessionPausePolicy: 'warn_drop', idle: 'wait', external: [Next] })
        .step('first', { accepts: StartEvent }, (_event, ctx) => {
          first(ctx)
        })
        .step('next', { accepts: Next }, (_event, ctx) => StopEvent({ result: { ...ctx.get<Live>('state') } }))
    const handler = create((ctx) => ctx.set('state', Object.assign(new Live(), { socket: () => {} }))).run()
    await turns()
    const snapshot = toText(handler.snapshot())
    handler.abort()
    const resumed = create(() => {}).resume(snapshot)
    await resumed.sendEvent(Next())
    expect(await resumed.result()).toEqual({ socket: null, n: 1 })
  })

  test('in the same process it is rebuilt once from a snapshot, and the same one when the run goes on in place', async () => {
    let restored = 0
    class Restored extends BlazenState {
      static override meta = { transient: ['conn'] }
      n = 1
      conn: unknown = null
      override restore() {
        this.conn = ++restored
      }
    }
    const s = new Restored()
    const flow = twoParts(
      (ctx) => ctx.set('state', s),
      (ctx) => [ctx.get('state') === s, ctx.get<Restored>('state')?.conn],
      [Restored],
    )
    const handler = flow.run()
    await turns()
    await handler.pause()
    handler.resume()
    const resumed = flow.resume(await handler.pause())
    await resumed.sendEvent(Next())
    expect(await resumed.result()).toEqual({ given: [false, 1] })
    expect(restored).toBe(1)

    const other = flow.run()
    await turns()
    await other.pause()
    other.resume()
    await other.sendEvent(Next())
    expect(await other.result()).toEqual({ given: [true, null] })
  })

  test('a step that is aborted by a pause leaves nothing of its changes, also of those after that', async () => {
    const gate = createGate()
    const seen: unknown[] = []
    const handler = workflow('aborted')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.set('state', new Counter())
        return Next()
      })
      .step('next', { accepts: Next }, async (_event, ctx) => {
        const s = ctx.get<Counter>('state') ?? new Counter()
        seen.push(s.count)
        s.count++
        if (seen.length === 1) {
          await gate.opened
          s.count = 99
          return
        }
        await turns()
        return StopEvent({ result: ctx.get<Counter>('state')?.count })
      })
      .run()
    await turns()
    await handler.pause({ inFlight: 'abort' })
    handler.resume()
    gate.open()
    expect(await handler.result()).toBe(1)
    expect(seen).toEqual([0, 0])
  })

  test.each([
    [
      'a head without fields',
      (state: unknown[][]) => Object.assign(state[0]?.[1] as object, { object: { class: 'C' } }),
    ],
    ['a key that no entry has', (state: unknown[][]) => state.push(['blazen::fieldx', { json: 1 }])],
  ])('%s is refused', async (_name, damage) => {
    const snapshot = toText(await snapshotAfter((ctx) => ctx.set('state', new Counter()), [Counter]))
    damage(snapshot.context.state as unknown as unknown[][])
    expect(() => twoParts(() => {}, () => {}, [Counter]).resume(snapshot)).toThrow(/The snapshot is damaged/)
  })

  test('a migration sees its fields as plain data, and takes it away whole', async () => {
    const snapshot = toText(await snapshotAfter((ctx) => ctx.set('state', new Counter()), [Counter]))
    const seen: unknown[] = []
    const handler = workflow('two parts', {
      version: '2',
      idle: 'wait',
      migrate: {
        '1': (draft) => {
          seen.push([...draft.state.entries()])
          draft.state.set('state', 'plain')
          seen.push(draft.raw.context.state)
        },
      },
    })
      .step('second', { accepts: [StartEvent, Next] }, (_event, ctx) => StopEvent({ result: ctx.get('state') }))
      .resume({ ...snapshot, version: '1' })
    await handler.sendEvent(Next())
    expect(await handler.result()).toBe('plain')
    expect(seen).toEqual([[['state', { count: 0, label: '', list: [] }]], [['state', { json: 'plain' }]]])
  })

  test('goes on in another process', async () => {
    const lines = `
      const { BlazenState, CallbackFieldStore } = await import(${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)})
      const { readFileSync, writeFileSync, mkdirSync, rmSync } = await import('node:fs')
      class PipelineState extends BlazenState {
        static meta = {
          transient: ['conn'],
          storeBy: { weights: new CallbackFieldStore({
            save: (key, bytes) => writeFileSync(folder + key, bytes),
            load: async (key) => new Uint8Array(readFileSync(folder + key)),
          }) },
        }
        count = 0
        weights = new Uint8Array()
        conn = null
        restore() { this.conn = 'to ' + this.count }
      }
      const flow = workflow('two processes', { classes: [PipelineState], idle: 'wait', external: [Job] })
        .step('begin', { accepts: StartEvent }, (event, ctx) => {
          ctx.set('state', Object.assign(new PipelineState(), { count: 2, weights: new Uint8Array([1, 2]), conn: () => {} }))
        })
        .step('job', { accepts: Job }, (event, ctx) => {
          const s = ctx.get('state')
          return StopEvent({ result: [s instanceof PipelineState, s.count, [...s.weights], s.conn] })
        })
    `
    const folder = `const folder = ${JSON.stringify(`/tmp/blazen-state-test-${process.pid}-`)}\n`
    const snapshot = await runInProcess(`${folder}${lines}
      const handler = flow.run()
      await new Promise((resolve) => setTimeout(resolve, 50))
      console.log(JSON.stringify(await handler.pause()))
      handler.abort()
    `)
    const result = await runInProcess(`${folder}${lines}
      const handler = flow.resume(${snapshot})
      await handler.sendEvent(Job())
      console.log(JSON.stringify(await handler.result()))
      rmSync(folder + 'state.weights')
    `)
    expect(JSON.parse(result)).toEqual([true, 2, [1, 2], 'to 2'])
  })
})

test('a default of the declared state may be one', async () => {
  const { store, calls } = createStore()
  class Big extends BlazenState {
    static override meta = { storeBy: { weights: store } }
    weights = 1
  }
  const schema: Schema<unknown, { state: Big }> = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) => ({ value: { state: new Big(), ...(value as object) } }),
    },
  }
  const handler = workflow('default', { state: schema })
    .step('begin', { accepts: StartEvent }, (_event, ctx) => {
      const before = [...calls]
      const { state } = ctx.state
      state.weights++
      ctx.state.state = state
      return StopEvent({ result: { before, weights: state.weights, keys: [...ctx.state.keys()] } })
    })
    .run()
  expect(await handler.result()).toEqual({ before: ['save state.weights'], weights: 2, keys: ['state'] })
})

test('a key that the declared state has got since is there when a run with objects resumes', async () => {
  const { store, calls } = createStore()
  class Old extends BlazenState {
    count = 0
  }
  class Added extends BlazenState {
    static override meta = { storeBy: { weights: store } }
    weights = 1
  }
  const build = <State extends z.ZodType<object>>(state: State) =>
    workflow('grown', { state, classes: [Old, Added], idle: 'wait', external: Next }).step(
      'begin',
      { accepts: StartEvent },
      () => null,
    )
  const State = z.object({ old: z.instanceof(Old).default(() => new Old()) })
  const first = build(State)
    .step('next', { accepts: Next }, () => null)
    .run()
  await turns()
  const snapshot: WorkflowSnapshot = JSON.parse(JSON.stringify(await first.pause()))
  first.abort()
  const grown = State.extend({ text: z.string().default('new'), added: z.instanceof(Added).default(() => new Added()) })
  const resumed = build(grown)
    .step('next', { accepts: Next }, (_event, { state }) => {
      return StopEvent({ result: [state.text, state.added.weights, state.old.count, [...state.keys()]] })
    })
    .resume(snapshot)
  await resumed.sendEvent(Next())
  expect(await resumed.result()).toEqual(['new', 1, 0, ['old', 'text', 'added']])
  expect(calls).toEqual(['save added.weights'])
})

test('a live field that was dropped does not come back where a migration has replaced its object', async () => {
  class Live extends BlazenState {
    count = 3
    socket: (() => void) | null = () => {}
  }
  const build = (version: string) =>
    workflow('replaced', {
      version,
      sessionPausePolicy: version === '1' ? 'warn_drop' : 'pickle_or_error',
      classes: [Live],
      idle: 'wait',
      external: Next,
      migrate: version === '1' ? {} : { '1': ({ state }) => void state.set('state', 'a text') },
    })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => ctx.set('state', new Live()))
      .step('next', { accepts: Next }, (_event, ctx) => StopEvent({ result: ctx.get('state') }))
  const first = build('1').run()
  await turns()
  const resumed = build('2').resume(await first.pause())
  await resumed.pause()
  resumed.resume()
  await resumed.sendEvent(Next())
  expect(await resumed.result()).toBe('a text')
})

test('is not readonly where state comes out frozen, with a restore or without', () => {
  class Inner extends BlazenState {
    list: string[] = []
  }
  interface State {
    plain: { list: string[] }
    inner: Inner
    maybe: Inner | null
    optional: { restore?(): void; list: string[] }
  }
  workflow('types', { state: typeOnly<State>() }).step('begin', { accepts: StartEvent }, (_event, ctx) => {
    expectTypeOf(ctx.state.inner).toEqualTypeOf<Inner>()
    expectTypeOf(ctx.state.maybe).toEqualTypeOf<Inner | null>()
    expectTypeOf(ctx.state.plain).toEqualTypeOf<{ readonly list: readonly string[] }>()
    expectTypeOf(ctx.state.optional.list).toEqualTypeOf<readonly string[]>()
    return StopEvent({ result: 0 })
  })
})
