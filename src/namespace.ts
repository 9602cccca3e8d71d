import { BlazenError } from './errors.ts'

/** Where the values of a namespace are. */
export interface Values {
  get(key: string): unknown
  has(key: string): boolean
  set(key: string, value: unknown): void
  delete(key: string): boolean
  keys(): Iterable<string>
}

/** Values by key, by the words of `Map`. Any text is a key. */
export interface Namespace<Shape extends object = Record<string, unknown>> {
  /** The value of a declared key; `undefined` where there is none. */
  get<Key extends keyof Shape & string>(key: Key): Shape[Key] | undefined
  /** The value of a declared key; `orElse` where there is none. */
  get<Key extends keyof Shape & string, Default>(key: Key, orElse: Default): Exclude<Shape[Key], undefined> | Default
  /** The value of any key, where none are declared; `undefined` where there is none. */
  get<Value = unknown>(key: UnknownKey<Shape>): Value | undefined
  /** The value of any key, where none are declared; `orElse` where there is none. */
  get<Value>(key: UnknownKey<Shape>, orElse: Value): Value
  /** Puts a value in the place of whatever was there. */
  set<Key extends keyof Shape & string>(key: Key, value: Shape[Key]): void
  /** Puts a value in the place of whatever was there, where no keys are declared. */
  set(key: UnknownKey<Shape>, value: unknown): void
  /** Whether there is a value; `null` and `undefined` are values. */
  has(key: string): boolean
  /** Whether there was such a key. */
  delete(key: string): boolean
  /** The keys, in the order in which they came. */
  keys(): IterableIterator<string>
  /** The values, in the order of their keys. */
  values(): IterableIterator<unknown>
  /** Keys with their values. */
  entries(): IterableIterator<[string, unknown]>
  readonly size: number
  /** The same as `entries()`, for `for … of`. */
  [Symbol.iterator](): IterableIterator<[string, unknown]>
}

/** A key that was not declared: any text where nothing was declared, none where something was. */
export type UnknownKey<Shape extends object> = string extends keyof Shape ? string : never

const methods = new Set<PropertyKey>(['get', 'set', 'has', 'delete', 'keys', 'values', 'entries', 'size'])

/**
 * One view of `values` that speaks both the words of `Map` and those of a plain object:
 * `state.set('count', 1)` and `state.count = 1` are the same.
 * A key that is also the name of a method can be reached by `get` and `set` alone.
 */
export function createNamespace<Shape extends object>(
  values: Values,
  name: string,
  extra: Readonly<Record<string, unknown>> = {},
): Namespace<Shape> & Shape {
  const view = Object.assign(new MapView(values), extra)
  return new Proxy(view, new PropertyView(values, name, extra)) as unknown as Namespace<Shape> & Shape
}

class MapView {
  readonly #values: Values

  constructor(values: Values) {
    this.#values = values
    this.get = this.get.bind(this)
    this.set = this.set.bind(this)
    this.has = this.has.bind(this)
    this.delete = this.delete.bind(this)
    this.keys = this.keys.bind(this)
    this.values = this.values.bind(this)
    this.entries = this.entries.bind(this)
  }
  get(key: string, orElse?: unknown): unknown {
    // A key that is lost is not there, and reading it throws.
    return this.#values.has(key) ? this.#values.get(key) : (this.#values.get(key) ?? orElse)
  }
  set(key: string, value: unknown): void {
    this.#values.set(key, value)
  }
  has(key: string): boolean {
    return this.#values.has(key)
  }
  delete(key: string): boolean {
    return this.#values.delete(key)
  }
  *keys(): IterableIterator<string> {
    yield* this.#values.keys()
  }
  *values(): IterableIterator<unknown> {
    for (const key of this.#values.keys()) yield this.#values.get(key)
  }
  *entries(): IterableIterator<[string, unknown]> {
    for (const key of this.#values.keys()) yield [key, this.#values.get(key)]
  }
  get size(): number {
    return [...this.#values.keys()].length
  }
  [Symbol.iterator](): IterableIterator<[string, unknown]> {
    return this.entries()
  }
}

class PropertyView implements ProxyHandler<MapView> {
  constructor(
    readonly values: Values,
    readonly name: string,
    /** Methods beside those of `Map`. */
    readonly extra: Readonly<Record<string, unknown>>,
  ) {}

  get(target: MapView, key: PropertyKey): unknown {
    if (typeof key === 'symbol' || this.#isMethod(key)) return Reflect.get(target, key, target)
    return this.values.get(key as string)
  }

  set(_target: MapView, key: PropertyKey, value: unknown): boolean {
    if (typeof key === 'symbol') {
      throw new BlazenError('state_key', `A symbol is no key of ${this.name}: use a text.`)
    }
    if (this.#isMethod(key)) {
      const text = String(key)
      throw new BlazenError(
        'state_key',
        `${this.name}.${text} is a method and cannot be assigned. Write ${this.name}.set("${text}", …), and read it with ${this.name}.get("${text}").`,
      )
    }
    this.values.set(key as string, value)
    return true
  }

  has(_target: MapView, key: PropertyKey): boolean {
    return typeof key === 'string' && this.values.has(key)
  }

  deleteProperty(_target: MapView, key: PropertyKey): boolean {
    if (typeof key === 'string') this.values.delete(key)
    return true
  }

  // A copy of all properties would hold the methods in place of the values, so these keys are left out.
  ownKeys(): string[] {
    return [...this.values.keys()].filter((key) => !this.#isMethod(key))
  }

  getOwnPropertyDescriptor(_target: MapView, key: PropertyKey): PropertyDescriptor | undefined {
    if (typeof key !== 'string' || this.#isMethod(key) || !this.values.has(key)) return undefined
    return { value: this.values.get(key), writable: true, enumerable: true, configurable: true }
  }

  defineProperty(target: MapView, key: PropertyKey, descriptor: PropertyDescriptor): boolean {
    return this.set(target, key, descriptor.value)
  }

  #isMethod(key: PropertyKey): boolean {
    return methods.has(key) || Object.hasOwn(this.extra, key)
  }
}
