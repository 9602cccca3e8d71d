import { runInNewContext } from 'node:vm'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { ClassRegistry, classCodec, defaultClasses, registerClass } from '../src/class-codec.ts'
import { persist, read, refusalOf, revive, type Stored, store, tierOf } from '../src/codec.ts'
import { CodecError } from '../src/codec-error.ts'
import { findDifference } from './same-value.ts'

let classes = new ClassRegistry()
beforeEach(() => {
  classes = new ClassRegistry()
})

const throughText = (stored: Stored, registry = classes): Stored =>
  revive(JSON.parse(JSON.stringify(persist(stored))), registry)
const roundTrip = (value: unknown): unknown => read(throughText(store(value, classes)))
const sparse = (...items: unknown[]): unknown[] =>
  Object.assign([], Object.fromEntries(items.map((item, index) => [index * 2 + 1, item])))
const own = (text: string): unknown => JSON.parse(text)

describe('tiers', () => {
  const shared = { x: 1 }
  const table: readonly [string, unknown, string][] = [
    ['a string', 'x', 'json'],
    ['a number', 5, 'json'],
    ['null', null, 'json'],
    ['plain data', { a: [1, { b: null }] }, 'json'],
    ['an own key __proto__', own('{"__proto__":{"x":1}}'), 'json'],
    ['a plain object of another realm', runInNewContext('({ a: [1] })'), 'json'],
    ['a Uint8Array', new Uint8Array(3), 'bytes'],
    ['a Buffer', Buffer.from('abc'), 'bytes'],
    ['an ArrayBuffer', new ArrayBuffer(3), 'bytes'],
    ['undefined', undefined, 'coded'],
    ['NaN', Number.NaN, 'coded'],
    ['-0', -0, 'coded'],
    ['Infinity', Number.POSITIVE_INFINITY, 'coded'],
    ['a bigint', 1n, 'coded'],
    ['undefined inside', { a: undefined }, 'coded'],
    ['-0 inside', [-0], 'coded'],
    ['a Date', new Date(), 'coded'],
    ['a Float64Array', new Float64Array(1), 'coded'],
    ['bytes inside data', { bytes: new Uint8Array(1) }, 'coded'],
    ['a shared object', [shared, shared], 'coded'],
    ['a sparse array', sparse(1, 3), 'coded'],
    ['an object without prototype', Object.create(null), 'coded'],
    ['an error', new TypeError('x'), 'coded'],
    ['a function', () => 1, 'live'],
    ['a symbol', Symbol('x'), 'live'],
    ['a Promise', Promise.resolve(), 'live'],
    ['a WeakMap', new WeakMap(), 'live'],
    ['a Proxy that was revoked', revokedProxy(), 'live'],
    ['a boxed number', Object(1), 'live'],
    ['a Map with a field', Object.assign(new Map(), { field: 1 }), 'live'],
    ['an array with a field', 'a'.match(/a/), 'live'],
    ['a sparse array with a field', Object.assign(sparse(1, 3), { field: 1 }), 'live'],
    ['a pretended Map', Object.create(Map.prototype), 'live'],
    ['a pretended Date', Object.create(Date.prototype), 'live'],
    ['a subclass of Map', new (class extends Map {})(), 'live'],
    ['a subclass of Array', new (class List extends Array {})(), 'live'],
    ['a subclass of Uint8Array', new (class Pixels extends Uint8Array {})(1), 'live'],
    ['shared memory', new Uint8Array(new SharedArrayBuffer(1)), 'live'],
    ['an object with a symbol', { [Symbol('x')]: 1 }, 'live'],
    ['an object with a hidden field', Object.defineProperty({}, 'hidden', { value: 1 }), 'live'],
    ['an object with a setter', { set a(_: number) {} }, 'live'],
    ['a global object', globalThis, 'live'],
  ]
  test.each(table)('%s', (_, value, tier) => {
    const stored = store(value)
    expect(tierOf(stored)).toBe(tier)
    if (tier === 'live') {
      expect(read(stored)).toBe(value)
      expect(refusalOf(stored)?.path).toBeDefined()
      expect(() => persist(stored)).toThrow(CodecError)
    }
  })

  function revokedProxy(): object {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  }
})

describe('what cannot be kept', () => {
  const socket = new (class Socket {})()
  test.each([
    [
      { orders: [{}, {}, {}, { customer: { socket } }] },
      'orders[3].customer.socket',
      'an instance of Socket, which no codec is registered for',
    ],
    [{ 'a b': new Map([['key', new Set([() => 1])]]) }, '["a b"].get("key").get(…)', 'a function'],
    [{ at: new Map([[Symbol.iterator, 1]]) }, 'at.get(Symbol(Symbol.iterator))', 'a symbol'],
    [
      { error: new Error('x', { cause: { socket } }) },
      'error.cause.socket',
      'an instance of Socket, which no codec is registered for',
    ],
    [
      {
        deep: {
          get now() {
            throw new Error('ran')
          },
        },
      },
      'deep.now',
      'a getter',
    ],
    [{ list: Object.defineProperty([0], 0, { get: () => 1, enumerable: true }) }, 'list[0]', 'a getter'],
    [{ sparse: sparse(() => 1) }, 'sparse[1]', 'a function'],
    [{ [Symbol('tag')]: 1 }, '["Symbol(tag)"]', 'a field whose key is a symbol'],
    [{ hidden: Object.defineProperty({}, 'x', { value: 1 }) }, 'hidden.x', 'a field that is not enumerable'],
    [
      {
        trap: new Proxy(
          {},
          {
            ownKeys: () => {
              throw new Error('no keys')
            },
          },
        ),
      },
      'trap',
      'something that cannot be read (no keys)',
    ],
    [
      {
        trap: new Proxy(
          { a: 1 },
          {
            get: () => {
              throw {
                toString: () => {
                  throw new Error()
                },
              }
            },
          },
        ),
      },
      'trap',
      'something that cannot be read (an error that cannot be read)',
    ],
  ])('is told with its path, %#', (value, path, what) => {
    const stored = store(value)
    expect(refusalOf(stored)).toEqual({ path, what })
    expect(() => persist(stored)).toThrow(`holds ${what} at ${path}`)
  })

  test('is never run', () => {
    let runs = 0
    store({
      get a() {
        return ++runs
      },
    })
    store([
      {
        set a(_: number) {
          runs++
        },
      },
    ])
    expect(runs).toBe(0)
  })

  test.each([499, 501, 100_000])('nesting of %i levels never overflows the stack', (levels) => {
    let objects: unknown = 1
    let maps: unknown = 1
    let error: unknown = 1
    for (let level = 0; level < levels; level++) {
      objects = { in: objects }
      maps = level % 2 ? new Map([[1, maps]]) : [maps]
      error = new Error('x', { cause: error })
    }
    expect(tierOf(store(objects))).toBe(levels < 500 ? 'json' : 'live')
    expect(tierOf(store(maps))).toBe(levels < 500 ? 'coded' : 'live')
    if (levels < 500) expect(read(throughText(store(maps)))).toEqual(maps)
    expect(refusalOf(store(error))?.what).toBe('data nested deeper than 500 levels')
  })

  test('nesting up to the limit has room in the text, whatever it is made of', () => {
    class Link {
      constructor(readonly next: unknown) {}
    }
    class Wrapped extends Link {}
    classes.register(Link)
    classes.register(Wrapped, {
      encode: (it: Wrapped) => ({ next: it.next }),
      decode: (data: { next: unknown }) => new Wrapped(data.next),
    })
    const makers = [
      (next: unknown) => new Error('x', { cause: next }),
      (next: unknown) => new Link(next),
      (next: unknown) => new Wrapped(next),
      (next: unknown) => ({ ['__proto__']: next }),
    ]
    for (const make of makers) {
      let value: unknown = 1
      let kept: unknown = 1
      for (let level = 0; level < 500 && tierOf(store(value, classes)) !== 'live'; level++) {
        kept = value
        value = make(value)
      }
      expect(findDifference(kept, roundTrip(kept))).toBeUndefined()
    }
  })

  test('is damage when a snapshot is nested deeper', () => {
    const levels = 100_000
    expect(() => revive({ json: JSON.parse('['.repeat(levels) + ']'.repeat(levels)) })).toThrow(
      'nested deeper than 500 levels',
    )
    const text = `[${Array.from({ length: levels }, (_, index) => `[${index + 1}]`).join()},1]`
    expect(() => revive({ coded: text })).toThrow(CodecError)
  })
})

describe('values are values', () => {
  test('JSON data is one frozen copy for all readers', () => {
    const value = { list: [{ a: 1 }] }
    const stored = store(value)
    value.list.push({ a: 2 })
    expect(read(stored)).toEqual({ list: [{ a: 1 }] })
    expect(read(stored)).toBe(read(stored))
    expect(Object.isFrozen(Reflect.get(Object(read(stored)), 'list'))).toBe(true)
    expect(Object.isFrozen(value)).toBe(false)
  })

  test('coded data that can be frozen is one copy too', () => {
    const stored = store([undefined, 1n, { a: Number.NaN }])
    expect(read(stored)).toBe(read(stored))
  })

  test('bytes come back as a Uint8Array that is the reader’s own', () => {
    for (const value of [
      new Uint8Array([1, 2, 3]),
      Buffer.from([1, 2, 3]),
      new Uint8Array([1, 2, 3]).buffer,
      new Uint8Array([0, 1, 2, 3]).subarray(1),
    ]) {
      const stored = store(value)
      new Uint8Array(value instanceof ArrayBuffer ? value : value.buffer).fill(9)
      const first = read(stored)
      expect(first).toEqual(new Uint8Array([1, 2, 3]))
      expect(Object.getPrototypeOf(first)).toBe(Uint8Array.prototype)
      if (first instanceof Uint8Array) first.fill(7)
      expect(read(stored)).toEqual(new Uint8Array([1, 2, 3]))
      expect(roundTrip(first)).toEqual(new Uint8Array([7, 7, 7]))
    }
  })

  test.each([0, 1, 2, 3, 5000, 100_000])('%i bytes are the same in every runtime', (length) => {
    const bytes = Uint8Array.from({ length }, (_, index) => index * 31)
    const here = persist(store(bytes))
    vi.stubGlobal('Buffer', undefined)
    const there = persist(store(bytes))
    const revived = read(revive(here))
    const refused = (): Stored => revive({ ...here, length: length + 1 })
    expect(refused).toThrow(CodecError)
    vi.unstubAllGlobals()
    expect(there).toEqual(here)
    expect(revived).toEqual(bytes)
  })

  test('bytes are encoded once, and compactly', () => {
    const stored = store(new Uint8Array(3_000_000).fill(171))
    const persisted = persist(stored)
    expect(JSON.stringify(persisted).length).toBeLessThan(3_000_000 * 1.4)
    const again = persist(stored)
    expect('bytes' in again && 'bytes' in persisted && again.bytes === persisted.bytes).toBe(true)
  })

  test('a part of a buffer is taken as that part, and a pool stays at home', () => {
    const secret = Buffer.from('secret').toString('base64')
    const pool = new Uint8Array([...Buffer.from('secret'), 1, 2])
    const part = new Uint8Array(pool.buffer, 6, 2)
    const text = JSON.stringify(persist(store([part, new Uint8Array(pool.buffer, 7, 1), Buffer.from('ab')])))
    expect(text).not.toContain(secret)
    expect(text.length).toBeLessThan(250)
    expect(roundTrip({ part })).toEqual({ part: new Uint8Array([1, 2]) })
  })

  test('views share a buffer that is in the value as a whole, in any order', () => {
    const { buffer } = new Uint8Array([1, 2, 3, 4])
    for (const value of [
      [new Uint8Array(buffer, 2), new DataView(buffer)],
      [buffer, new Uint8Array(buffer, 2)],
      [new Uint8Array(buffer, 2), buffer],
    ]) {
      const back = Object(roundTrip(value))
      const bufferOf = (part: ArrayBuffer | ArrayBufferView): ArrayBufferLike => ('buffer' in part ? part.buffer : part)
      expect(bufferOf(back[0])).toBe(bufferOf(back[1]))
      expect(back).toEqual(value)
    }
  })

  test('a sparse array takes memory for its items only', () => {
    const list: unknown[] = []
    list[4_000_000_000] = 'far'
    const persisted = JSON.stringify(persist(store(list)))
    expect(persisted.length).toBeLessThan(100)
    expect(Object.keys(Object(roundTrip(list)))).toEqual(['4000000000'])
    list.length = 2 ** 32 - 1
    expect(Object.keys(Object(read(store(list))))).toEqual(['4000000000'])
    expect(Object(roundTrip(list)).length).toBe(2 ** 32 - 1)
  })

  test('a transparent proxy is taken as what it shows', () => {
    expect(read(store(new Proxy({ a: [1] }, {})))).toEqual({ a: [1] })
  })
})

describe('classes', () => {
  class UserProfile {
    static made = 0
    name = 'Ada'
    tags = new Set(['a'])
    constructor() {
      UserProfile.made++
    }
    set greeting(_: string) {
      throw new Error('ran a setter')
    }
    hello(): string {
      return `Hello, ${this.name}`
    }
  }
  class Money {
    #cents: number
    constructor(cents: number) {
      this.#cents = cents
    }
    get cents(): number {
      return this.#cents
    }
  }
  const moneyCodec = {
    encode: (money: Money) => new Map([['cents', money.cents]]),
    decode: (data: Map<string, number>) => new Money(data.get('cents') ?? 0),
  }

  test('a registered class keeps fields and prototype, without its constructor', () => {
    classes.register(UserProfile)
    const user = Object.defineProperty(new UserProfile(), 'greeting', { value: 'own', enumerable: true })
    UserProfile.made = 0
    const back = roundTrip({ user, again: user })
    const { user: copy, again } = Object(back)
    expect(copy).toBeInstanceOf(UserProfile)
    expect(copy).toBe(again)
    expect(copy.hello()).toBe('Hello, Ada')
    expect(copy.greeting).toBe('own')
    expect(copy.tags).toEqual(new Set(['a']))
    expect(UserProfile.made).toBe(0)
    expect(() => {
      copy.name = 'Bob'
    }).toThrow(TypeError)
  })

  test('an encode is called when the value is taken, a decode for each reader', () => {
    let encoded = 0
    const encode = (money: Money): Map<string, number> => {
      encoded++
      return moneyCodec.encode(money)
    }
    classes.register(Money, { ...moneyCodec, encode })
    const price = new Money(150)
    const stored = store({ price, same: price }, classes)
    expect(encoded).toBe(1)
    const copy = Object(read(stored))
    expect(copy.price.cents).toBe(150)
    expect(copy.price).toBe(copy.same)
    expect(Object(read(stored)).price).not.toBe(copy.price)
    expect(Object(read(throughText(stored))).price.cents).toBe(150)
    expect(encoded).toBe(1)
  })

  test('a static codec needs no registration', () => {
    class Celsius {
      static readonly [classCodec] = {
        name: 'Celsius',
        encode: (it: Celsius) => it.degrees,
        decode: (degrees: number) => new Celsius(degrees),
      }
      constructor(readonly degrees: number) {}
    }
    class Kelvin extends Celsius {}
    expect(tierOf(store(new Kelvin(20), classes))).toBe('live')
    expect(roundTrip(new Celsius(20))).toEqual(new Celsius(20))
    expect(classes.named('Celsius')?.prototype).toBe(Celsius.prototype)
  })

  test('cycles are kept through fields, and refused through an encode', () => {
    class Node {
      next: unknown
    }
    class Wrapper {
      constructor(readonly held: unknown) {}
    }
    classes.register(Node)
    classes.register(Wrapper, {
      encode: (it: Wrapper) => ({ held: it.held }),
      decode: (data: { held: unknown }) => new Wrapper(data.held),
    })
    const node = new Node()
    node.next = { node }
    const back = Object(roundTrip(node))
    expect(back.next.node).toBe(back)
    const parent: { child?: unknown } = {}
    parent.child = new Wrapper(parent)
    expect(refusalOf(store(parent, classes))).toEqual({
      path: 'child.encode().held',
      what: 'a cycle through a class with its own encode',
    })
    const self: { held: unknown } = { held: undefined }
    self.held = new Wrapper(self)
    expect(tierOf(store(self.held, classes))).toBe('live')
    const apart = { date: new Date(5) }
    expect(Object(roundTrip([apart, new Wrapper(apart)]))[1].held.date).toEqual(new Date(5))
  })

  test('what an encode throws, or what of it cannot be kept, makes the value live', () => {
    classes.register(Money, {
      encode: (): never => {
        throw new Error('broken')
      },
      decode: () => new Money(0),
    })
    expect(refusalOf(store([new Money(1)], classes))).toEqual({
      path: '[0]',
      what: 'an instance whose class’s encode threw (broken)'.replace('’', "'"),
    })
    class Handle {}
    classes.register(Handle, { encode: () => ({ fn: () => 1 }), decode: () => new Handle() })
    expect(refusalOf(store({ handle: new Handle() }, classes))?.path).toBe('handle.encode().fn')
  })

  test('what a decode throws is an error of that value alone', () => {
    classes.register(Money, {
      encode: () => 1,
      decode: () => {
        throw new Error('broken')
      },
    })
    const stored = throughText(store({ price: new Money(1) }, classes))
    expect(() => read(stored)).toThrow('Class "Money" did not decode what it encoded, at price: broken.')
  })

  test('a class that is not registered here is named when the value is read, and the value is written as it came', () => {
    classes.register(UserProfile)
    classes.register(Money, moneyCodec)
    for (const value of [new UserProfile(), { price: new Money(1) }]) {
      const persisted = persist(store(value, classes))
      const elsewhere = revive(persisted, new ClassRegistry(), 'state["user"]')
      expect(tierOf(elsewhere)).toBe('coded')
      expect(() => read(elsewhere)).toThrow(
        /Cannot read state\["user"\].*class "(UserProfile|Money)", which is not registered here: register it, as in workflow/,
      )
      expect(persist(elsewhere)).toEqual(persisted)
    }
  })

  test('a class whose codec was changed is named in the same way', () => {
    classes.register(Money, moneyCodec)
    const persisted = persist(store([new Money(1)], classes))
    const changed = new ClassRegistry()
    changed.register({ Money: class Money {} }.Money)
    expect(() => read(revive(persisted, changed))).toThrow('written by an encode')
  })

  test('registries that extend another see its classes, also later ones', () => {
    const parent = new ClassRegistry()
    const extended = parent.extend([UserProfile])
    parent.register(Money, moneyCodec)
    expect(tierOf(store([new UserProfile(), new Money(1)], extended))).toBe('coded')
    expect(tierOf(store(new UserProfile(), parent))).toBe('live')
    expect(parent.extend()).toBe(parent)
  })

  test('a name that is taken, missing or minified is refused', () => {
    classes.register(UserProfile)
    classes.register(UserProfile)
    const Namesake = { UserProfile: class UserProfile {} }.UserProfile
    const twice = 'Two classes are registered as "UserProfile"'
    expect(() => classes.register(Namesake)).toThrow(twice)
    expect(() => classes.extend([Namesake])).toThrow(twice)
    expect(() => classes.register(UserProfile, { name: 'Other' })).toThrow('registered already')
    expect(() => classes.register(class {})).toThrow('no name that is stable')
    expect(() => classes.register(class e {})).toThrow('no name that is stable')
    classes.register(class e {}, { name: 'e' })
    expect(() => classes.register(Money)).toThrow('Class "Money" has #private fields')
    expect(() => classes.register(Money, { encode: () => 1 })).toThrow('an encode and no decode')
    for (const Base of [Map, Array, Date, Uint8Array, Promise, URL]) {
      expect(() => classes.register(class Sub extends (Base as typeof Map) {})).toThrow(/Class "Sub" extends \w+, wh/)
    }
  })

  test('a parent that later gives a name away makes the other class’s instances live', () => {
    const parent = new ClassRegistry()
    const Namesake = { UserProfile: class UserProfile {} }.UserProfile
    const extended = parent.extend([UserProfile])
    parent.register(Namesake)
    expect(tierOf(store(new Namesake(), extended))).toBe('live')
    expect(tierOf(store(new UserProfile(), extended))).toBe('coded')
  })

  test('registerClass registers for everybody', () => {
    class Everywhere {}
    registerClass(Everywhere)
    expect(defaultClasses.named('Everywhere')?.prototype).toBe(Everywhere.prototype)
    expect(tierOf(store(new Everywhere()))).toBe('coded')
  })
})

describe('errors', () => {
  class PaymentError extends RangeError {
    override name = 'PaymentFailed'
    constructor(
      message: string,
      readonly details: unknown,
    ) {
      super(message)
    }
  }

  test('keep class, message, stack, cause and fields', () => {
    const inner = new AggregateError([new SyntaxError('a')], 'inner')
    const error = Object.assign(new TypeError('outer', { cause: inner }), { code: 'E1', at: new Date(5) })
    const back = Object(roundTrip(error))
    expect(back).toBeInstanceOf(TypeError)
    expect([back.message, back.stack, back.code, back.at]).toEqual(['outer', error.stack, 'E1', new Date(5)])
    expect(back.cause).toBeInstanceOf(AggregateError)
    expect(back.cause.errors[0]).toBeInstanceOf(SyntaxError)
    expect(Object.keys(back)).toEqual(['code', 'at'])
    expect(Object.prototype.toString.call(back)).toBe('[object Error]')
  })

  test('of a registered class are of that class again', () => {
    classes.register(PaymentError)
    expect(roundTrip(new PaymentError('x', 1))).toBeInstanceOf(PaymentError)
  })

  test('of a class nobody registered keep its name over the built-in error below it', () => {
    const stored = store(new PaymentError('x', { a: 1 }))
    expect(read(stored)).toBeInstanceOf(PaymentError)
    const back = Object(read(throughText(stored)))
    expect(back).not.toBeInstanceOf(PaymentError)
    expect(back).toBeInstanceOf(RangeError)
    expect([back.constructor.name, back.name, back.message, back.details]).toEqual([
      'PaymentError',
      'PaymentFailed',
      'x',
      { a: 1 },
    ])
    expect(persist(store(back))).toEqual(persist(stored))
  })

  test('of the platform are kept', () => {
    const reason: unknown = AbortSignal.abort().reason
    const back = Object(roundTrip(reason))
    expect(back).toBeInstanceOf(DOMException)
    expect([back.name, back.message, back.code]).toEqual(['AbortError', 'This operation was aborted', 20])
    const renamed = Object.assign(new DOMException('gone', 'AbortError'), { detail: 1 })
    Object.defineProperty(renamed, 'name', { value: 'Renamed', enumerable: true })
    expect(roundTrip(renamed)).toMatchObject({ name: 'Renamed', code: 20, detail: 1 })
    expect(roundTrip(runInNewContext('new TypeError("other realm")'))).toBeInstanceOf(TypeError)
    const system = Object.assign(new Error('ENOENT'), { errno: -2, code: 'ENOENT', syscall: 'open' })
    expect(roundTrip(system)).toMatchObject({ errno: -2, code: 'ENOENT', syscall: 'open' })
  })

  test('keep a stack that the engine holds in the prototype', () => {
    class Elsewhere extends Error {
      override get stack(): string {
        return 'at elsewhere'
      }
    }
    const error = new Elsewhere('x')
    Reflect.deleteProperty(error, 'stack')
    expect(roundTrip(error)).toMatchObject({ message: 'x', stack: 'at elsewhere' })
  })

  test('that hold something live are live', () => {
    expect(refusalOf(store(Object.assign(new Error('x'), { request: { send: () => 1 } })))?.path).toBe('request.send')
  })
})

describe('snapshots from outside', () => {
  const bytes = { bytes: 'AQID', length: 3 }
  test.each([
    ['no object', 5],
    ['nothing', undefined],
    ['a wrong tier', { yaml: 1 }],
    ['two tiers', { json: 1, coded: '[1]' }],
    ['a tier and a prototype', own('{"json":1,"__proto__":{"polluted":true}}')],
    ['a prototype alone', own('{"__proto__":{"json":1}}')],
    ['an inherited tier', Object.create({ json: 1 })],
    ['no JSON data', { json: { at: new Date() } }],
    ['a function in JSON data', { json: [() => 1] }],
    ['NaN', { json: Number.NaN }],
    ['bytes without a length', { bytes: 'AQID' }],
    ['bytes that were cut', { ...bytes, length: 4 }],
    ['bytes that are no base64', { bytes: 'A!ID', length: 3 }],
    ['bytes that are no text', { bytes: 5, length: 3 }],
    ['coded data that is no text', { coded: [1] }],
    ['text that was cut', { coded: '[{"a":1' }],
    ['text without a value', { coded: '[]' }],
    ['text that points outside', { coded: '[{"a":7}]' }],
    ['text with a prototype', { coded: '[{"__proto__":1},{"polluted":2},true]' }],
    ['an unknown kind', { coded: '[["blazen",1],[2,3,4],"evil",1,2]' }],
    ['an unknown tag', { coded: '[["Evil",1],2]' }],
    ['a kind with parts missing', { coded: '[["blazen",1],[2,3],"class","X"]' }],
    ['a kind with holes', { coded: '[["blazen",1],[2,3,-2],"object",true]' }],
    ['an endless kind', { coded: '[["blazen",0]]' }],
    ['an error of an unknown base', { coded: '[["blazen",1],[2,3,3,-1,4,4],"error","Evil",[]]' }],
    ['an object inside its own encoded data', { coded: '[["blazen",1],[2,3,0],"codec","X"]' }],
    ['a boxed value', { coded: '[["Object",1],5]' }],
  ])('%s is refused by name', (_, persisted) => {
    const attempt = (): Stored => revive(persisted, classes, 'state["cart"]')
    expect(attempt).toThrow(CodecError)
    expect(attempt).toThrow(/^Cannot read state\["cart"\]/)
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  test('damage in JSON data is told with its path', () => {
    expect(() => revive({ json: { a: [1, { b: new Date() }] } }, classes, 'state["cart"]')).toThrow(
      'Cannot read state["cart"], at a[1].b: expected JSON data, got an object that is not plain',
    )
  })

  test('an own key __proto__ comes back as an ordinary key', () => {
    for (const value of [
      own('{"__proto__":{"polluted":true}}'),
      { at: new Date(5), in: own('{"__proto__":{"polluted":true}}') },
    ]) {
      const back = Object(roundTrip(value))
      const holder = back.in ?? back
      expect(Object.keys(holder)).toEqual(['__proto__'])
      expect(Object.getPrototypeOf(holder)).toBe(Object.prototype)
      expect(holder.polluted).toBeUndefined()
    }
  })

  test('what is revived is a copy', () => {
    const persisted = { json: { list: [1] } }
    const stored = revive(persisted)
    persisted.json.list.push(2)
    expect(read(stored)).toEqual({ list: [1] })
    expect(Object.isFrozen(persisted.json)).toBe(false)
  })
})
