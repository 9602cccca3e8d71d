import {
  BlazenError,
  DefinitionError,
  defineEvent,
  StartEvent,
  StateValidationError,
  type StepContext,
  StepFailedError,
  StopEvent,
  type WorkflowSnapshot,
  workflow,
} from 'blazen-xstate'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createGate, rejection, turns } from './waiting.ts'

const Job = defineEvent<{ n: number }>('Job')
type Context = StepContext<Record<string, unknown>>

/** What `use` gives when a step calls it with its context. */
function inStep<Result>(use: (ctx: Context) => Result | Promise<Result>): Promise<Result> {
  return workflow('one step')
    .step('begin', { accepts: StartEvent }, async (_event, ctx) => StopEvent({ result: { given: await use(ctx) } }))
    .run()
    .result()
    .then(({ given }) => given as Result)
}

/** What `read` gives in a step after the one in which `write` ran, in a run that went through JSON text between them. */
async function acrossResume<Result>(write: (ctx: Context) => void, read: (ctx: Context) => Result): Promise<Result> {
  const flow = workflow('across', { classes: [Point], external: Job, idle: 'wait' })
    .step('write', { accepts: StartEvent }, (_event, ctx) => write(ctx) as undefined)
    .step('read', { accepts: Job }, (_event, ctx) => StopEvent({ result: { given: read(ctx) } }))
  const handler = flow.run()
  await turns()
  const text = JSON.stringify(handler.snapshot())
  handler.abort()
  const resumed = flow.resume(JSON.parse(text))
  await resumed.sendEvent(Job({ n: 1 }))
  return ((await resumed.result()) as { given: Result }).given
}

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('Expected a throw.')
}

class Point {
  constructor(
    readonly x: number,
    public y: number,
  ) {}
  sum(): number {
    return this.x + this.y
  }
}

class Socket {
  readonly #open = true
  isOpen = () => this.#open
}

describe('a value of ctx.state', () => {
  const shared = { n: 1 }
  const survives: Record<string, unknown> = {
    'a text': 'text',
    'a number': 1.5,
    'a boolean': false,
    null: null,
    undefined: undefined,
    NaN: Number.NaN,
    '-0': -0,
    Infinity: Number.NEGATIVE_INFINITY,
    'a bigint': 12345678901234567890n,
    'plain data': { list: [1, { a: null }], text: '' },
    'odd data': { missing: undefined, nan: Number.NaN, zero: [-0] },
    'a Date': new Date(0),
    'a Map': new Map([[{ key: 1 }, new Set(['a'])]]),
    'a Set': new Set([1, 'two']),
    'a RegExp': /a+/giu,
    'a URL': new URL('https://example.org/path?q=1'),
    'a typed array': new Float64Array([1.5, -0]),
    'an object without prototype': Object.assign(Object.create(null), { a: 1 }),
    'a sparse array': Object.assign([1], { 2: 3 }),
    'shared references': [shared, shared],
  }
  test.each(Object.entries(survives))('survives as it is: %s', async (_name, value) => {
    const given = await acrossResume(
      (ctx) => ctx.set('key', value),
      (ctx) => [ctx.state.has('key'), ctx.get('key')] as const,
    )
    expect(given[0]).toBe(true)
    expect(given[1]).toStrictEqual(value)
  })

  test('survives with its sharing and its cycles', async () => {
    const cyclic: Record<string, unknown> = { name: 'cyclic' }
    cyclic.self = cyclic
    const given = await acrossResume(
      (ctx) => {
        ctx.set('cyclic', cyclic)
        ctx.set('shared', [shared, shared])
      },
      (ctx) => ({ cyclic: ctx.get<{ self: unknown }>('cyclic'), shared: ctx.get<unknown[]>('shared') }),
    )
    expect(given.cyclic?.self).toBe(given.cyclic)
    expect(given.shared?.[0]).toBe(given.shared?.[1])
  })

  test('survives as an error with its class, message, cause and own fields', async () => {
    const error = Object.assign(new RangeError('too far', { cause: new Error('why') }), { code: 'far' })
    const given = await acrossResume(
      (ctx) => ctx.set('error', error),
      (ctx) => ctx.get<Error & { code: string }>('error'),
    )
    expect(given).toBeInstanceOf(RangeError)
    expect(given).toMatchObject({ message: 'too far', code: 'far', stack: error.stack })
    expect(given?.cause).toMatchObject({ message: 'why' })
  })

  test('survives as an instance of a class of the workflow', async () => {
    const given = await acrossResume(
      (ctx) => ctx.set('point', new Point(1, 2)),
      (ctx) => ctx.get<Point>('point'),
    )
    expect(given).toBeInstanceOf(Point)
    expect(given?.sum()).toBe(3)
  })

  test('survives as bytes, whatever they came in', async () => {
    const given = await acrossResume(
      (ctx) => {
        ctx.set('bytes', new Uint8Array([1, 2]))
        ctx.set('part', new Uint8Array([0, 1, 2, 3]).subarray(1, 3))
        ctx.set('buffer', Buffer.from([3]))
        ctx.set('array buffer', new Uint8Array([4]).buffer)
        ctx.setBytes('none', new Uint8Array())
      },
      (ctx) => ['bytes', 'part', 'buffer', 'array buffer', 'none'].map((key) => ctx.getBytes(key)),
    )
    expect(given).toStrictEqual([
      new Uint8Array([1, 2]),
      new Uint8Array([1, 2]),
      new Uint8Array([3]),
      new Uint8Array([4]),
      new Uint8Array(),
    ])
  })

  test('is the very object where it is live: a function, an instance of an unknown class, and what holds one', async () => {
    const live = [() => 1, new Socket(), { deep: [new Socket()] }, new Map([[1, () => 2]]), new Proxy({ f() {} }, {})]
    const given = await inStep((ctx) => {
      for (const [at, value] of live.entries()) ctx.set(`live ${at}`, value)
      return live.map((_value, at) => ctx.get(`live ${at}`))
    })
    for (const [at, value] of live.entries()) expect(given[at]).toBe(value)
    expect(Object.isFrozen(live[2])).toBe(false)
  })

  test('is live where looking at it has effects: a getter is not run', async () => {
    let runs = 0
    const tricky = {
      get n() {
        runs++
        return 1
      },
    }
    const given = await inStep((ctx) => {
      ctx.set('tricky', tricky)
      return ctx.get('tricky')
    })
    expect(given).toBe(tricky)
    expect(runs).toBe(0)
  })

  test('is an entry of state and not of the session, also where it is live', async () => {
    const given = await inStep((ctx) => {
      ctx.state.set('live', () => 1)
      return [ctx.state.has('live'), ctx.session.has('live'), Object.keys(ctx.state), ctx.session.size]
    })
    expect(given).toEqual([true, false, ['live'], 0])
  })

  test('is taken as it is at `set`: later changes to the object change nothing', async () => {
    const given = await inStep((ctx) => {
      const values = {
        data: { list: [1] },
        map: new Map([['a', [1]]]),
        set: new Set([1]),
        date: new Date(1),
        error: Object.assign(new Error('one'), { n: 1 }),
        numbers: new Int16Array([1]),
        bytes: new Uint8Array([1]),
      }
      ctx.set('all', values)
      for (const [key, value] of Object.entries(values)) ctx.set(key, value)
      values.data.list.push(2)
      values.map.get('a')?.push(2)
      values.map.set('b', [])
      values.set.add(2)
      values.date.setTime(2)
      values.error.n = 2
      values.numbers[0] = 2
      values.bytes[0] = 2
      return [ctx.get<typeof values>('all'), Object.fromEntries(Object.keys(values).map((key) => [key, ctx.get(key)]))]
    })
    for (const each of given as Record<string, unknown>[]) {
      expect(each).toMatchObject({ data: { list: [1] }, date: new Date(1), error: { n: 1 } })
      expect(each.map).toEqual(new Map([['a', [1]]]))
      expect(each.set).toEqual(new Set([1]))
      expect(each.numbers).toEqual(new Int16Array([1]))
      expect(each.bytes).toEqual(new Uint8Array([1]))
    }
  })

  test('leaves the object that it was taken from free to change', async () => {
    await inStep((ctx) => {
      const mine = { list: [1], point: new Point(1, 2) }
      ctx.set('mine', mine)
      mine.list.push(2)
      mine.point.y = 3
      expect(Object.isFrozen(mine)).toBe(false)
    })
  })

  test('is frozen, deeply, where it can be: changing it throws and changes nothing', async () => {
    await inStep((ctx) => {
      ctx.set('data', { list: [{ n: 1 }], map: new Map([['a', { n: 1 }]]) })
      const data = ctx.get('data') as { list: { n: number }[]; map: Map<string, { n: number }> }
      expect(() => data.list.push({ n: 2 })).toThrow(TypeError)
      expect(() => {
        ;(data.list[0] as { n: number }).n = 2
      }).toThrow(TypeError)
      expect(() => {
        ;(data as Record<string, unknown>).more = 1
      }).toThrow(TypeError)
      expect(() => {
        ;(data.map.get('a') as { n: number }).n = 2
      }).toThrow(TypeError)
      expect(ctx.get('data')).toEqual({ list: [{ n: 1 }], map: new Map([['a', { n: 1 }]]) })
    })
  })

  test('is a copy of its own for each reader where it cannot be frozen', async () => {
    await inStep((ctx) => {
      ctx.set('map', new Map([['a', 1]]))
      ctx.set('set', new Set([1]))
      ctx.set('date', new Date(1))
      ctx.set('numbers', new Float32Array([1]))
      ;(ctx.get('map') as Map<string, number>).set('b', 2)
      ;(ctx.get('set') as Set<number>).clear()
      ;(ctx.get('date') as Date).setTime(2)
      ;(ctx.get('numbers') as Float32Array)[0] = 2
      expect(ctx.get('map')).toEqual(new Map([['a', 1]]))
      expect(ctx.get('set')).toEqual(new Set([1]))
      expect(ctx.get('date')).toEqual(new Date(1))
      expect(ctx.get('numbers')).toEqual(new Float32Array([1]))
    })
  })

  test('replaces whatever was under its key, of any kind, with nothing of it left', async () => {
    const kinds: unknown[] = ['json', new Uint8Array([1]), new Map([[1, 2]]), () => 1, undefined, null, { deep: [1] }]
    const given = await inStep((ctx) => {
      const seen: unknown[] = []
      for (const before of kinds) {
        for (const after of kinds) {
          ctx.set('key', before)
          ctx.set('key', after)
          seen.push(ctx.get('key'), ctx.getBytes('key'), ctx.state.size)
        }
      }
      return seen
    })
    const expected = kinds.flatMap(() =>
      kinds.flatMap((after) => [after, after instanceof Uint8Array ? after : undefined, 1]),
    )
    expect(given).toEqual(expected)
  })

  test('that replaces a live one lets the run leave its process', async () => {
    const given = await acrossResume(
      (ctx) => {
        ctx.set('key', () => 1)
        ctx.set('key', 'text')
        ctx.set('gone', new Socket())
        ctx.state.delete('gone')
      },
      (ctx) => [...ctx.state],
    )
    expect(given).toEqual([['key', 'text']])
  })

  test('null is a value, undefined is one too, and a missing key gives the default', async () => {
    const given = await acrossResume(
      (ctx) => {
        ctx.state.null = null
        ctx.state.undefined = undefined
      },
      ({ state }) => [
        state.get('null', 1),
        state.get('undefined', 1),
        state.get('missing', 1),
        state.missing,
        'null' in state,
        'undefined' in state,
        'missing' in state,
        [...state],
      ],
    )
    const entries = [
      ['null', null],
      ['undefined', undefined],
    ]
    expect(given).toEqual([null, undefined, 1, undefined, true, true, false, entries])
  })
})

describe('keys of ctx.state', () => {
  const hostile = [
    '',
    ' ',
    'a.b',
    '__proto__',
    'constructor',
    'prototype',
    'get',
    'update',
    'toJSON',
    'then',
    '0',
    '\0',
  ]

  test('may be any text, by either protocol, also after a resume, and touch no prototype', async () => {
    const given = await acrossResume(
      (ctx) => {
        for (const key of hostile) ctx.state.set(key, { of: key })
      },
      ({ state }) => [...state],
    )
    expect(given).toEqual(hostile.map((key) => [key, { of: key }]))
    expect(({} as Record<string, unknown>).of).toBeUndefined()
  })

  test('that are hostile are properties as others are, but for the names of methods', async () => {
    const names = hostile.filter((key) => !['get', 'update'].includes(key))
    await inStep(({ state }) => {
      for (const key of names) {
        expect(key in state, key).toBe(false)
        expect(state[key], key).toBeUndefined()
        state[key] = key
        expect(state[key], key).toBe(key)
        expect(Object.getPrototypeOf(state)).not.toBe(key)
      }
      expect(Object.keys(state)).toEqual(expect.arrayContaining(names))
      for (const key of names) expect(delete state[key]).toBe(true)
      expect(state.size).toBe(0)
    })
  })

  const methods = ['get', 'set', 'has', 'delete', 'keys', 'values', 'entries', 'size', 'update']
  test.each(methods)('that are the name of a method are reached by get and set alone: %s', async (name) => {
    await inStep(({ state }) => {
      const error = thrownBy(() => {
        state[name] = 1
      })
      expect(error).toMatchObject({ code: 'state_key' })
      expect((error as Error).message).toContain(`ctx.state.set("${name}"`)
      state.other = 0
      state.set(name, 'value')
      expect(state.get(name)).toBe('value')
      expect([...state.keys()]).toEqual(['other', name])
      // A copy of the properties would hold the method in the place of the value.
      expect({ ...state }).toEqual({ other: 0 })
      expect(Object.keys(state)).toEqual(['other'])
      expect(state.delete(name)).toBe(true)
    })
  })

  test('are no symbols', async () => {
    await inStep(({ state }) => {
      const odd = state as unknown as Record<symbol, unknown>
      const key = Symbol('key')
      const error = thrownBy(() => {
        odd[key] = 1
      })
      expect(error).toBeInstanceOf(BlazenError)
      expect(odd[key]).toBeUndefined()
      expect(key in odd).toBe(false)
    })
  })

  test('can be defined as properties, which are as others', async () => {
    await inStep(({ state }) => {
      Object.assign(state, { a: 1, b: [2] })
      Object.defineProperty(state, 'c', { value: 3 })
      expect([...state]).toEqual([
        ['a', 1],
        ['b', [2]],
        ['c', 3],
      ])
      expect(Object.getOwnPropertyDescriptor(state, 'a')).toEqual({
        value: 1,
        writable: true,
        enumerable: true,
        configurable: true,
      })
      const seen: string[] = []
      for (const key in state) seen.push(key)
      expect(seen).toEqual(['a', 'b', 'c'])
      const { a, ...rest } = state
      expect([a, rest]).toEqual([1, { b: [2], c: 3 }])
    })
  })

  test('ten thousand of them are as good as one', async () => {
    const given = await acrossResume(
      (ctx) => {
        for (let n = 0; n < 10_000; n++) ctx.set(`key ${n}`, { n })
        for (let n = 0; n < 10_000; n += 2) ctx.state.delete(`key ${n}`)
      },
      ({ state }) => [state.size, state.get('key 9999'), state.has('key 0'), Object.keys(state).length],
    )
    expect(given).toEqual([5_000, { n: 9_999 }, false, 5_000])
  })

  test('none of the others is looked at by a `set`: what stands there is copied once', async () => {
    let reads = 0
    const counted = new Proxy([1, 2, 3], {
      ownKeys: (target) => {
        reads++
        return Reflect.ownKeys(target)
      },
    })
    const readsPerSet = await inStep((ctx) => {
      ctx.set('counted', counted)
      const once = reads
      for (let n = 0; n < 1_000; n++) ctx.set(`key ${n}`, n)
      return [once > 0, reads - once]
    })
    expect(readsPerSet).toEqual([true, 0])
  })
})

describe('bytes in ctx.state', () => {
  test('of five megabytes are never walked: nobody asks for their elements', async () => {
    const size = 5 * 1024 * 1024
    const asked: PropertyKey[] = []
    const inner = new Uint8Array(size).fill(7)
    class Watched extends Uint8Array {
      override [Symbol.iterator](): ReturnType<Uint8Array[typeof Symbol.iterator]> {
        asked.push(Symbol.iterator)
        return super[Symbol.iterator]()
      }
    }
    const keysOf = Object.keys
    Object.keys = (value: object) => {
      if (ArrayBuffer.isView(value)) asked.push('keys')
      return keysOf(value)
    }
    try {
      await inStep((ctx) => {
        ctx.setBytes('big', inner)
        ctx.setBytes('watched', new Watched(1))
        const out = ctx.getBytes('big')
        expect(out?.length).toBe(size)
        expect(out?.buffer).not.toBe(inner.buffer)
      })
    } finally {
      Object.keys = keysOf
    }
    expect(asked).toEqual([])
  })

  test('go into a snapshot as text that is at most 1.4 times as long', async () => {
    const flow = workflow('bytes', { idle: 'wait' }).step('begin', { accepts: StartEvent }, (_event, ctx) => {
      ctx.setBytes(
        'big',
        Uint8Array.from({ length: 100_000 }, (_, n) => n),
      )
    })
    const handler = flow.run()
    await turns()
    expect(JSON.stringify(handler.snapshot()).length).toBeLessThan(140_000)
    handler.abort()
  })

  test('are bytes for getBytes, and nothing else is', async () => {
    const given = await inStep((ctx) => {
      ctx.set('text', 'abc')
      ctx.set('numbers', new Uint16Array([1]))
      ctx.set('list', [1])
      return [ctx.getBytes('text'), ctx.getBytes('numbers'), ctx.getBytes('list'), ctx.getBytes('missing')]
    })
    expect(given).toEqual([undefined, undefined, undefined, undefined])
  })
})

describe('ctx.state.update', () => {
  test('changes a draft, or returns the next value', async () => {
    const given = await inStep(({ state }) => {
      state.list = [{ n: 1 }]
      state.count = 1
      state.update<{ n: number }[]>('list', (list) => {
        list.push({ n: 2 })
        ;(list[0] as { n: number }).n = 10
      })
      state.update<number>('count', (count) => count + 1)
      state.update<number | undefined>('new', (before) => (before ?? 40) + 2)
      state.update<unknown>('list2', () => ['whole'])
      return Object.fromEntries(state)
    })
    expect(given).toEqual({ list: [{ n: 10 }, { n: 2 }], count: 2, new: 42, list2: ['whole'] })
  })

  test('changes Maps, Sets, bytes, dates and big numbers, which stay what they are', async () => {
    const given = await acrossResume(
      ({ state }) => {
        state.map = new Map([['a', { n: 1 }]])
        state.set('set', new Set([1, 2]))
        state.bytes = new Uint8Array([1, 2])
        state.numbers = new Int32Array([1])
        state.date = new Date(1)
        state.big = 1n
        state.nested = { bytes: new Uint8Array([1]), when: new Date(1) }
        state.update<Map<string, { n: number }>>('map', (map) => {
          map.set('b', { n: 2 })
          ;(map.get('a') as { n: number }).n = 10
        })
        state.update<Set<number>>('set', (set) => void set.delete(1))
        state.update<Uint8Array>('bytes', (bytes) => {
          bytes[0] = 9
        })
        state.update<Int32Array>('numbers', (numbers) => {
          numbers[0] = -9
        })
        state.update<Date>('date', (date) => void date.setTime(9))
        state.update<bigint>('big', (big) => big + 1n)
        state.update<{ bytes: Uint8Array }>('nested', (nested) => {
          nested.bytes = new Uint8Array([9])
        })
      },
      ({ state }) => Object.fromEntries(state.entries()),
    )
    expect(given).toStrictEqual({
      map: new Map([
        ['a', { n: 10 }],
        ['b', { n: 2 }],
      ]),
      set: new Set([2]),
      bytes: new Uint8Array([9, 2]),
      numbers: new Int32Array([-9]),
      date: new Date(9),
      big: 2n,
      nested: { bytes: new Uint8Array([9]), when: new Date(1) },
    })
  })

  test('gives instances of classes to the recipe, which returns the next one', async () => {
    const given = await acrossResume(
      ({ state }) => {
        state.point = new Point(1, 2)
        state.update<Point>('point', (point) => new Point(point.x, point.y + 1))
      },
      (ctx) => ctx.get<Point>('point')?.sum(),
    )
    expect(given).toBe(4)
  })

  test('refuses to change a live value, of which there is no copy', async () => {
    const socket = new Socket()
    await inStep(({ state }) => {
      state.socket = socket
      const error = thrownBy(() => state.update('socket', () => {}))
      expect(error).toMatchObject({ code: 'state_update' })
      expect(state.socket).toBe(socket)
    })
  })

  test('leaves what the recipe puts in free to change, and takes it as it is', async () => {
    const given = await inStep(({ state }) => {
      const order = { items: ['tea'] }
      state.orders = []
      state.update<{ items: string[] }[]>('orders', (orders) => void orders.push(order))
      order.items.push('milk')
      return state.orders
    })
    expect(given).toEqual([{ items: ['tea'] }])
  })

  test('takes what the recipe puts in as it is at the update, also when the step settles later', async () => {
    const result = await workflow('later')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        const order = { items: ['tea'] }
        ctx.state.update<{ items: string[] }>('order', () => order)
        order.items.push('milk')
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => StopEvent({ result: ctx.state.order }))
      .run()
      .result()
    expect(result).toEqual({ items: ['tea'] })
  })

  test('changes nothing when the recipe throws, and throws it where it was written', async () => {
    const error = new Error('in the recipe')
    const given = await inStep(({ state }) => {
      state.list = [1]
      const thrown = thrownBy(() =>
        state.update<number[]>('list', (list) => {
          list.push(2)
          throw error
        }),
      )
      return [thrown, state.list]
    })
    expect(given).toEqual([error, [1]])
    expect(given[0]).toBe(error)
  })

  test('loses nothing of what steps at work at once add, in whatever order they settle', async () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const gates = order.map(() => createGate())
      const handler = workflow('atomic', { idle: 'wait' })
        .step('begin', { accepts: StartEvent }, (_event, ctx) => {
          ctx.state.total = 0
          ctx.state.list = []
          return order.map((n) => Job({ n }))
        })
        .step('job', { accepts: Job }, async ({ n }, { state }) => {
          state.update<number>('total', (total) => total + 1)
          await gates[n]?.opened
          state.update<number>('total', (total) => total + 10)
          state.update<number[]>('list', (list) => void list.push(n))
        })
        .run()
      await turns()
      for (const n of order) {
        gates[n]?.open()
        await turns()
      }
      expect(stateOf(handler.snapshot())).toEqual({ total: 33, list: order })
      handler.abort()
    }
  })

  test('is taken back with a failed attempt, and not with those beside it', async () => {
    const gate = createGate()
    const handler = workflow('fails beside', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.total = 0
        return [Job({ n: 1 }), Job({ n: 2 })]
      })
      .step('job', { accepts: Job, retry: { attempts: 2 } }, async ({ n }, ctx) => {
        ctx.state.update<number>('total', (total) => total + n)
        if (n === 2) return null
        await gate.opened
        if (ctx.attempt === 1) throw new Error('again')
        return null
      })
      .run()
    await turns()
    gate.open()
    await turns()
    expect(stateOf(handler.snapshot())).toEqual({ total: 3 })
    handler.abort()
  })
})

/** The JSON values of `ctx.state` in a snapshot. */
function stateOf({ context }: WorkflowSnapshot): Record<string, unknown> {
  return Object.fromEntries(context.state.map(([key, value]) => [key, 'json' in value ? value.json : value]))
}

describe('a step is a transaction: its writes', () => {
  test('leave no trace when the attempt fails', async () => {
    const seen: unknown[] = []
    const handler = workflow('clean', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.kept = 'before'
        ctx.state.deleted = 'before'
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job, retry: { attempts: 2 } }, (_event, { state, attempt, session }) => {
        seen.push([...state], session.size)
        if (attempt === 2) return null
        state.kept = 'changed'
        state.added = 'added'
        delete state.deleted
        state.live = () => 1
        throw new Error('again')
      })
      .run()
    await turns()
    const before = [
      ['kept', 'before'],
      ['deleted', 'before'],
    ]
    expect(seen).toEqual([before, 0, before, 0])
    expect(stateOf(handler.snapshot())).toEqual(Object.fromEntries(before))
    handler.abort()
  })

  test('are in no snapshot before the step settles, and in each one after', async () => {
    const gate = createGate()
    const handler = workflow('unsettled', { idle: 'wait' })
      .step('begin', { accepts: StartEvent }, async (_event, ctx) => {
        ctx.state.written = 1
        ctx.state.live = () => 1
        await gate.opened
        delete ctx.state.live
      })
      .run()
    await turns()
    expect(stateOf(handler.snapshot())).toEqual({})
    gate.open()
    await turns()
    expect(stateOf(handler.snapshot())).toEqual({ written: 1 })
    handler.abort()
  })

  test('of a run that fails are not in its state', async () => {
    const handler = workflow('fails')
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.good = 1
        return Job({ n: 1 })
      })
      .step('job', { accepts: Job }, (_event, ctx) => {
        ctx.state.bad = 1
        throw new Error('no')
      })
      .run()
    await rejection(handler.result())
    expect(stateOf(handler.snapshot())).toEqual({ good: 1 })
  })
})

describe('state with a schema', () => {
  const State = z.object({
    count: z.number().default(0),
    tags: z.array(z.string()).default(['first']),
    name: z.string().optional(),
  })

  test('begins with the defaults of the schema', async () => {
    const result = await workflow('defaults', { state: State })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        const { count, tags } = ctx.state
        return StopEvent({ result: [count, tags, ctx.state.has('name'), ctx.get('count')] })
      })
      .run()
      .result()
    expect(result).toEqual([0, ['first'], false, 0])
  })

  test('has the same beginning in each run, whatever the run before did with it', async () => {
    const shared = { list: [1] }
    const flow = workflow('shared', { state: z.object({ shared: z.any().default(shared) }) }).step(
      'begin',
      { accepts: StartEvent },
      (_event, ctx) => {
        ctx.state.update<'shared'>('shared', (value) => void value.list.push(2))
        return StopEvent({ result: ctx.state.shared })
      },
    )
    for (const _run of [1, 2]) expect(await flow.run().result()).toEqual({ list: [1, 2] })
    expect(shared).toEqual({ list: [1] })
  })

  test('that its defaults do not fill is refused at `run`, at once', () => {
    const flow = workflow('no beginning', { state: z.object({ count: z.number() }) }).step(
      'begin',
      { accepts: StartEvent },
      () => StopEvent(),
    )
    const error = thrownBy(() => flow.run())
    expect(error).toBeInstanceOf(DefinitionError)
    expect(error).toMatchObject({ problems: [expect.stringContaining('count')] })
  })

  test('is checked when the run completes: one that does not fit fails the run', async () => {
    const handler = workflow('wrong', { state: State })
      .step('begin', { accepts: StartEvent }, (_event, ctx) => {
        ctx.state.count = 'many' as never
        return StopEvent()
      })
      .run()
    const error = await rejection(handler.result())
    expect(error).toBeInstanceOf(StateValidationError)
    expect(error).toMatchObject({ issues: [{ path: 'count' }] })
    expect(handler.status).toBe('failed')
  })

  test('is checked when the run resumes, before anything runs', async () => {
    let ran = 0
    const build = (state: z.ZodObject) =>
      workflow('grown', { state, external: Job, idle: 'wait' })
        .step('begin', { accepts: StartEvent }, () => void ran++)
        .step('job', { accepts: Job }, () => void ran++)
    const handler = build(State).run()
    await turns()
    const snapshot = handler.snapshot()
    handler.abort()
    const stricter = build(z.object({ count: z.string().default('none') }))
    const error = thrownBy(() => stricter.resume(snapshot))
    if (error instanceof StateValidationError) expect(error.issues[0]?.path).toBe('count')
    expect(error).toBeInstanceOf(StateValidationError)
    expect(ran).toBe(1)
  })

  test('that has grown is completed with its defaults when the run resumes', async () => {
    const Asked = defineEvent('Asked')
    const build = <State extends z.ZodType<object>>(state: State) =>
      workflow('grown', { state, external: Asked, idle: 'wait' }).step('begin', { accepts: StartEvent }, () => null)
    const handler = build(State)
      .step('old', { accepts: Asked }, () => null)
      .run()
    await turns()
    const snapshot = handler.snapshot()
    handler.abort()
    const resumed = build(State.extend({ added: z.string().default('new') }))
      .step('tell', { accepts: Asked }, (_event, ctx) => StopEvent({ result: ctx.state.get('added') }))
      .resume(snapshot)
    await resumed.sendEvent(Asked())
    expect(await resumed.result()).toBe('new')
  })
})

test('an error in a step that read state keeps its cause', async () => {
  const error = await rejection(
    inStep((ctx) => {
      ctx.set('list', [1])
      ctx.get<number[]>('list')?.push(2)
    }),
  )
  expect(error).toBeInstanceOf(StepFailedError)
  expect((error as Error).cause).toBeInstanceOf(TypeError)
})
