import { builtInCopier, NeedsWholeBuffer, type Walk } from './built-in-copy.ts'
import type { ClassEntry, ClassRegistry } from './class-codec.ts'
import { CodecError, messageOf } from './codec-error.ts'
import { createBlankError, domExceptionPartsOf, isError } from './error-codec.ts'
import {
  createSparseArray,
  defineField,
  hasGetter,
  isArrayPrototype,
  isJsonNumber,
  isPlainPrototype,
} from './plain-data.ts'
import { describe, formatPath, type PathKey, type Refusal, toRefusal, Unkeepable } from './refusal.ts'

/**
 * Deeper values go live. JSON.stringify overflows the stack at some thousand levels,
 * and the text of coded values at a thousand.
 */
export const depthLimit = 500

/** How many levels of text an error, or an instance of a class, takes beyond its own. */
const wrapperLevels = 2

/** What a class's `encode` gave, in the place of the instance. */
export class Encoded {
  constructor(
    readonly entry: ClassEntry,
    readonly data: unknown,
  ) {}
}

/** Stands for an instance while what its `encode` gave is being copied; nobody gets to see it. */
const unfinished = Object.freeze({})

/** A copy, and what its walk found out. */
export interface Copy {
  readonly value: unknown
  /** Whether the value is JSON data: JSON's own primitives, plain objects and dense arrays, each in one place. */
  readonly isJson: boolean
  /** Whether all of the copy is frozen, so that one copy can serve all readers. */
  readonly isFrozen: boolean
}

/** Takes a copy of anybody's value, or says why it cannot be kept. Never throws. */
export function takeCopy(value: unknown, classes: ClassRegistry): Copy | { readonly refusal: Refusal } {
  for (let copier = new ValueCopier(classes, false); ; ) {
    try {
      return copier.take(value)
    } catch (thrown) {
      const next = copier.nextFor(thrown)
      if (next === undefined) return { refusal: copier.refusalFor(thrown) }
      copier = next
    }
  }
}

/**
 * A copy for a reader of what {@link takeCopy} took, with instances in the place of what their class encoded.
 *
 * @param freezes - whether the plain parts of the copy are frozen
 */
export function giveCopy(value: unknown, classes: ClassRegistry, freezes = true): unknown {
  for (let copier = new ValueCopier(classes, true, freezes); ; ) {
    try {
      return copier.take(value).value
    } catch (thrown) {
      const next = copier.nextFor(thrown)
      if (next === undefined) throw thrown
      copier = next
    }
  }
}

const noBuffers: ReadonlySet<ArrayBufferLike> = new Set()

/**
 * One walk over a value, which finds out whether it can be kept and takes a copy that nobody else can change.
 *
 * - Plain objects, arrays and instances with plain fields are frozen in the copy; what cannot be frozen is new in each copy.
 * - No getter is run. What a proxy shows is read once.
 * - An object that is met again is the same object in the copy too.
 */
class ValueCopier implements Walk {
  private isJson = true
  private isFrozen = true
  private first: object | undefined
  private firstCopy: unknown
  private seen: Map<object, unknown> | undefined
  /** Buffers of which a view took its part. */
  private partlyTaken: Set<ArrayBufferLike> | undefined
  private depth = 0
  private readonly path: PathKey[] = []
  /** The objects that the walk is in. */
  private readonly open: object[] = []
  private extraLevels = 0
  /** The depth of the innermost data of an `encode` that the walk is in. */
  private encodedDepth = 0

  constructor(
    private readonly classes: ClassRegistry,
    /** Whether the copy is for a reader, with instances in the place of what was encoded. */
    private readonly decodes: boolean,
    /** Whether nobody may change the copy. */
    private readonly freezes = true,
    private readonly wholeBuffers: ReadonlySet<ArrayBufferLike> = noBuffers,
  ) {}

  take(value: unknown): Copy {
    return { value: this.copy(value), isJson: this.isJson, isFrozen: this.isFrozen }
  }

  /** Another copier, where the first one found a buffer too late that is in the value as a whole. */
  nextFor(thrown: unknown): ValueCopier | undefined {
    if (!(thrown instanceof NeedsWholeBuffer)) return undefined
    return new ValueCopier(this.classes, this.decodes, this.freezes, new Set([...this.wholeBuffers, thrown.buffer]))
  }

  isWhole(buffer: ArrayBufferLike): boolean {
    return this.wholeBuffers.has(buffer) || this.copyOf(buffer) !== undefined
  }

  takePart(buffer: ArrayBufferLike): void {
    this.partlyTaken ??= new Set()
    this.partlyTaken.add(buffer)
  }

  takeWhole(buffer: ArrayBufferLike): void {
    if (this.partlyTaken?.has(buffer)) throw new NeedsWholeBuffer(buffer)
  }

  /** What stopped this copier. */
  refusalFor(thrown: unknown): Refusal {
    return toRefusal(thrown, this.path.slice(0, this.depth))
  }

  copyAt(key: PathKey, part: unknown): unknown {
    this.path[this.depth++] = key
    const copy = this.copy(part)
    this.depth--
    return copy
  }

  copyOf(source: object): unknown {
    return source === this.first ? this.firstCopy : this.seen?.get(source)
  }

  /** Most values are one object: the first copy is remembered without a Map. */
  remember<Made extends object>(source: object, copy: Made): Made {
    if (this.first === undefined || this.first === source) {
      this.first = source
      this.firstCopy = copy
    } else {
      this.seen ??= new Map()
      this.seen.set(source, copy)
    }
    return copy
  }

  private copy(value: unknown): unknown {
    switch (typeof value) {
      case 'string':
      case 'boolean':
        return value
      case 'number':
        if (!isJsonNumber(value)) this.isJson = false
        return value
      case 'undefined':
      case 'bigint':
        this.isJson = false
        return value
      case 'object':
        return value === null ? null : this.copyObject(value)
      default:
        throw new Unkeepable(describe(value))
    }
  }

  private copyObject(source: object): unknown {
    const known = this.copyOf(source)
    if (known !== undefined) return this.refer(source, known)
    if (this.depth + this.extraLevels >= depthLimit)
      throw new Unkeepable(`data nested deeper than ${depthLimit} levels`)
    this.open[this.depth] = source
    const prototype: object | null = Object.getPrototypeOf(source)
    if (Array.isArray(source)) {
      if (isArrayPrototype(prototype)) return this.copyArray(source)
    } else if (isPlainPrototype(prototype)) {
      return this.copyPlain(source, {})
    }
    this.isJson = false
    if (prototype === null) return this.copyPlain(source, Object.create(null))
    const copyBuiltIn = builtInCopier(prototype)
    if (copyBuiltIn !== undefined) {
      this.isFrozen = false
      return copyBuiltIn(source, this)
    }
    this.extraLevels += wrapperLevels
    const copy = this.copyInstance(source, prototype)
    this.extraLevels -= wrapperLevels
    return copy
  }

  private refer(source: object, known: unknown): unknown {
    this.isJson = false
    // Decoding an instance needs all of its data at once, so nothing in there can lead back to what holds it.
    if (this.open.slice(0, this.encodedDepth).includes(source)) {
      throw new Unkeepable('a cycle through a class with its own encode')
    }
    return known
  }

  private copyPlain(source: object, copy: Record<string, unknown>): object {
    this.remember(source, copy)
    for (const key of this.fieldsOf(source)) {
      const item = this.copyField(source, key)
      if (key === '__proto__') defineField(copy, key, item)
      else copy[key] = item
    }
    return this.finish(copy)
  }

  /** The prototype of an instance may have setters, which are not for us to run. */
  private copyFields(source: object, copy: object): object {
    this.remember(source, copy)
    for (const key of this.fieldsOf(source)) defineField(copy, key, this.copyField(source, key))
    return this.finish(copy)
  }

  private copyField(source: object, key: string | number): unknown {
    if (hasGetter(source, key)) throw this.refuseAt(key, 'a getter')
    const value: unknown = Reflect.get(source, key)
    if (value === undefined && Object.getOwnPropertyDescriptor(source, key)?.set !== undefined)
      throw this.refuseAt(key, 'a setter')
    return this.copyAt(key, value)
  }

  private finish<Made extends object>(copy: Made): Made {
    return this.freezes ? Object.freeze(copy) : copy
  }

  private fieldsOf(source: object): readonly string[] {
    const keys = Object.keys(source)
    this.refuseSymbols(source)
    const names = Object.getOwnPropertyNames(source)
    if (names.length !== keys.length)
      throw this.refuseAt(names.find((name) => !keys.includes(name)) ?? '', 'a field that is not enumerable')
    return keys
  }

  private refuseSymbols(source: object): void {
    const symbols = Object.getOwnPropertySymbols(source)
    if (symbols.length > 0) throw this.refuseAt(String(symbols[0]), 'a field whose key is a symbol')
  }

  private refuseAt(key: PathKey, what: string): Unkeepable {
    this.path[this.depth++] = key
    return new Unkeepable(what)
  }

  /** Non-enumerable fields of arrays are not looked for: listing an array's names takes many times as long as copying it. */
  private copyArray(source: readonly unknown[]): unknown {
    const { length } = source
    const keys = Object.keys(source)
    this.refuseSymbols(source)
    if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1)))
      return this.copySparseArray(source, keys)
    const copy = this.remember(source, new Array<unknown>(length))
    for (let index = 0; index < length; index++) copy[index] = this.copyField(source, index)
    return this.finish(copy)
  }

  private copySparseArray(source: readonly unknown[], keys: readonly string[]): unknown {
    this.isJson = false
    const copy = this.remember(source, createSparseArray(source.length))
    for (const key of keys) {
      const index = Number(key)
      if (String(index >>> 0) !== key || index >= source.length) throw this.refuseAt(key, 'a field on an array')
      copy[index] = this.copyField(source, index)
    }
    return this.finish(copy)
  }

  private copyInstance(source: object, prototype: object): unknown {
    if (source instanceof Encoded) return this.copyEncoded(source, source.entry, source.data)
    const entry = this.classes.of(prototype)
    if (entry?.encode !== undefined) {
      this.remember(source, unfinished)
      return this.copyEncoded(source, entry, encode(entry.encode, source))
    }
    if (isError(source)) return this.copyError(source, prototype)
    if (entry !== undefined) return this.copyFields(source, Object.create(prototype))
    throw new Unkeepable(describe(source))
  }

  private copyEncoded(source: object, entry: ClassEntry, data: unknown): unknown {
    this.isFrozen = false
    const outer = this.encodedDepth
    this.encodedDepth = this.depth + 1
    const copy = this.copyAt('encode()', data)
    this.encodedDepth = outer
    return this.remember(
      source,
      this.decodes ? decode(entry, copy, this.path.slice(0, this.depth)) : new Encoded(entry, copy),
    )
  }

  private copyError(source: Error, prototype: object): Error {
    this.isFrozen = false
    const copy = this.remember(source, createBlankError(prototype, domExceptionPartsOf(source)))
    for (const key of Object.getOwnPropertyNames(source)) {
      const { value, enumerable = false, get, set } = Object.getOwnPropertyDescriptor(source, key) ?? {}
      // Some engines make the stack an accessor.
      if (key !== 'stack' && (get !== undefined || set !== undefined)) throw this.refuseAt(key, 'a getter or setter')
      defineField(copy, key, this.copyAt(key, key === 'stack' ? source.stack : value), enumerable)
    }
    // Runtimes mark their errors with hidden symbols, which mean nothing elsewhere; the visible ones are somebody's data.
    const symbol = Object.getOwnPropertySymbols(source).find((key) =>
      Object.prototype.propertyIsEnumerable.call(source, key),
    )
    if (symbol !== undefined) throw this.refuseAt(String(symbol), 'a field whose key is a symbol')
    if (!Object.hasOwn(source, 'stack') && typeof source.stack === 'string')
      defineField(copy, 'stack', source.stack, false)
    return copy
  }
}

function encode(encodeInstance: (instance: unknown) => unknown, instance: object): unknown {
  try {
    return encodeInstance(instance)
  } catch (error) {
    throw new Unkeepable(`an instance whose class's encode threw (${messageOf(error)})`)
  }
}

function decode(entry: ClassEntry, data: unknown, path: readonly PathKey[]): object {
  const at = formatPath(path)
  const fail = (why: string, cause?: unknown): CodecError =>
    new CodecError(
      'decode-failed',
      `Class "${entry.name}" did not decode what it encoded${at && `, at ${at}`}: ${why}.`,
      at,
      { cause },
    )
  let instance: unknown
  try {
    instance = entry.decode?.(data)
  } catch (error) {
    throw fail(messageOf(error), error)
  }
  if (typeof instance !== 'object' || instance === null) throw fail(`expected an instance, got ${String(instance)}`)
  return instance
}
