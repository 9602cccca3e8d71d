import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClassRegistry } from '../src/class-codec.ts'
import { persist, read, refusalOf, revive, store, tierOf } from '../src/codec.ts'
import { findDifference, membersOf } from './same-value.ts'

class Profile {
  [field: string]: unknown
}
class Money {
  constructor(readonly parts: unknown) {}
}
class PaymentError extends TypeError {}

const classes = new ClassRegistry()
classes.register(Profile)
classes.register(PaymentError)
classes.register(Money, {
  encode: (money: Money) => ({ held: money.parts }),
  decode: (data: { held: unknown }) => new Money(data.held),
})

/** A value is drawn as a list of objects, whose items point to objects of the list: so there are cycles and sharing of all kinds. */
type Item = { primitive: unknown } | { ref: number }
interface Spec {
  kind: string
  items: readonly Item[]
  keys: readonly string[]
  number: number
}

const primitive = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(
    null,
    undefined,
    Number.NaN,
    -0,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    '\ud800',
    '__proto__',
    '',
  ),
)
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 2, arbitrary: primitive.map((value) => ({ primitive: value })) },
  { weight: 3, arbitrary: fc.nat(12).map((ref) => ({ ref })) },
)
const key = fc.oneof(
  fc.constantFrom('__proto__', 'constructor', 'toString', 'then', 'length', '', '1', '0', 'a.b', 'cause', 'name'),
  fc.string(),
)
const containers = [
  'object',
  'object',
  'null',
  'array',
  'sparse',
  'map',
  'set',
  'error',
  'aggregate',
  'payment',
  'profile',
]
const leaves = [
  'date',
  'regexp',
  'url',
  'buffer',
  'u8',
  'u8c',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'f64',
  'b64',
  'bu64',
  'view',
  'part',
  'dom',
  'money',
]
const spec = fc.record({
  kind: fc.constantFrom(...containers, ...containers, ...leaves),
  items: fc.array(item, { maxLength: 5 }),
  keys: fc.uniqueArray(key, { minLength: 5, maxLength: 5 }),
  number: fc.nat(7),
})
const graph = fc.array(spec, { minLength: 1, maxLength: 12 })

const views = {
  u8: Uint8Array,
  u8c: Uint8ClampedArray,
  i8: Int8Array,
  u16: Uint16Array,
  i16: Int16Array,
  u32: Uint32Array,
  i32: Int32Array,
  f32: Float32Array,
  f64: Float64Array,
  b64: BigInt64Array,
  bu64: BigUint64Array,
}

function build(specs: readonly Spec[]): unknown {
  const buffers = [0, 1].map((seed) => Uint8Array.from({ length: 32 }, (_, index) => index * 7 + seed).buffer)
  const nodes = specs.map(({ kind, number }): object => {
    const buffer = buffers[number % 2] ?? new ArrayBuffer(0)
    switch (kind) {
      case 'null':
        return Object.create(null)
      case 'array':
      case 'sparse':
        return []
      case 'map':
        return new Map()
      case 'set':
        return new Set()
      case 'error':
        return number === 0 ? new Error() : new RangeError('range', { cause: number })
      case 'aggregate':
        return new AggregateError([], 'many')
      case 'payment':
        return new PaymentError('payment')
      case 'profile':
        return new Profile()
      case 'date':
        return new Date(number === 0 ? Number.NaN : number === 1 ? 8.64e15 : number)
      case 'regexp': {
        const expression = /[/\n]a"/gu
        expression.lastIndex = number
        return expression
      }
      case 'url':
        return new URL(`https://example.com/${number}?q=a b`)
      case 'buffer':
        return buffer
      case 'view':
        return new DataView(buffer)
      case 'part':
        // The part starts at 0 of its own memory, as it does once it was taken.
        return new Uint16Array(new Uint16Array(buffer, 4, 3))
      case 'dom':
        return new DOMException('gone', 'AbortError')
      case 'money':
        return new Money(number)
      default:
        return kind in views ? new views[kind as keyof typeof views](buffer) : {}
    }
  })
  const resolve = (one: Item): unknown => ('primitive' in one ? one.primitive : nodes[one.ref % nodes.length])
  const define = (node: object, name: string, value: unknown): void => {
    // The engine itself builds the stack from the name, and overflows on an error that is its own name.
    if (name === 'name' && node instanceof Error && typeof value === 'object') return
    if (!Object.hasOwn(node, name))
      Object.defineProperty(node, name, { value, enumerable: true, writable: true, configurable: true })
  }
  for (const [index, { kind, items, keys, number }] of specs.entries()) {
    const node = nodes[index]
    const values = items.map(resolve)
    if (node instanceof Map)
      for (const [at, value] of values.entries()) node.set(values[(at + number) % values.length], value)
    else if (node instanceof Set) for (const value of values) node.add(value)
    else if (Array.isArray(node)) {
      if (kind === 'sparse') node.length = 3 + number * 1000
      for (const [at, value] of values.entries()) node[kind === 'sparse' ? at * (number + 1) : at] = value
    } else if (node instanceof AggregateError) node.errors = values
    else if (node && (containers.includes(kind) || kind === 'dom'))
      for (const [at, value] of values.entries()) define(node, keys[at] ?? '', value)
  }
  return nodes[0]
}

function roundTrip(value: unknown): unknown {
  return read(revive(JSON.parse(JSON.stringify(persist(store(value, classes)))), classes))
}

/** What comes back of bytes alone is a Uint8Array. */
const isBytes = (value: unknown): boolean => value instanceof Uint8Array || value instanceof ArrayBuffer

const options = { numRuns: Number(process.env.CODEC_RUNS ?? 1500) }

test('any value is the same after a way through text', () => {
  fc.assert(
    fc.property(graph, (specs) => {
      const value = build(specs)
      fc.pre(!isBytes(value))
      const stored = store(value, classes)
      expect(refusalOf(stored)).toBeUndefined()
      expect(findDifference(value, read(stored))).toBeUndefined()
      expect(findDifference(value, roundTrip(value))).toBeUndefined()
      const again = persist(stored)
      expect(persist(revive(again, classes))).toEqual(again)
    }),
    options,
  )
})

test('no change to the value, or to what is read, reaches what is stored', () => {
  fc.assert(
    fc.property(graph, (specs) => {
      const value = build(specs)
      fc.pre(!isBytes(value))
      const stored = store(value, classes)
      const before = roundTrip(value)
      ruin(value)
      expect(findDifference(before, read(stored))).toBeUndefined()
      ruin(read(stored))
      expect(findDifference(before, read(stored))).toBeUndefined()
    }),
    options,
  )
})

test('all plain data that is read is frozen', () => {
  fc.assert(
    fc.property(graph, (specs) => {
      const unfrozen = [...partsOf(read(store(build(specs), classes)))].filter(
        (part) =>
          !Object.isFrozen(part) &&
          (Array.isArray(part) ||
            part instanceof Profile ||
            [Object.prototype, null].includes(Object.getPrototypeOf(part))),
      )
      expect(unfrozen).toEqual([])
    }),
    options,
  )
})

test('JSON data is kept as JSON data, and is its own text', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (drawn) => {
      const value: unknown = JSON.parse(JSON.stringify(drawn))
      const stored = store(value, classes)
      expect(tierOf(stored)).toBe('json')
      expect(JSON.stringify(persist(stored))).toBe(`{"json":${JSON.stringify(value)}}`)
      expect(findDifference(value, roundTrip(value))).toBeUndefined()
    }),
    options,
  )
})

/** Changes all of a value that can be changed. */
function ruin(value: unknown): void {
  for (const part of partsOf(value)) {
    if (part instanceof Map || part instanceof Set) part.clear()
    else if (part instanceof Date) part.setTime(1)
    else if (part instanceof URL) part.href = 'https://ruined.example/'
    else if (part instanceof RegExp) part.lastIndex = 99
    else if (part instanceof ArrayBuffer) new Uint8Array(part).fill(255)
    else if (ArrayBuffer.isView(part)) new Uint8Array(part.buffer).fill(255)
    else for (const name of Reflect.ownKeys(part)) Reflect.deleteProperty(part, name)
    if (Object.isFrozen(part)) continue
    if (Array.isArray(part)) part.length = 0
    else Reflect.set(part, 'ruined', true)
  }
}

function partsOf(value: unknown, parts: Set<object> = new Set()): Set<object> {
  if (typeof value !== 'object' || value === null || parts.has(value)) return parts
  parts.add(value)
  if (value instanceof Map || value instanceof Set) for (const part of membersOf(value)) partsOf(part, parts)
  if (!ArrayBuffer.isView(value)) for (const name of Reflect.ownKeys(value)) partsOf(Reflect.get(value, name), parts)
  return parts
}
