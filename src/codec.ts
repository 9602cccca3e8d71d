import { fromBase64, toBase64 } from './base64.ts'
import { type ClassRegistry, defaultClasses } from './class-codec.ts'
import { CodecError, messageOf } from './codec-error.ts'
import { decodeText, encodeText, MissingClass } from './coded-text.ts'
import { defineField, isJsonNumber, isPlainObject } from './plain-data.ts'
import { formatPath, type PathKey, type Refusal } from './refusal.ts'
import { depthLimit, giveCopy, takeCopy } from './value-copy.ts'

/** How a value is kept, and so what it survives: all but `live` survive the process. */
export type Tier = 'json' | 'bytes' | 'coded' | 'live'

/** A value that is JSON text's equal. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/**
 * A value as {@link store} took it. JSON data, and primitives of all kinds, stand for themselves, deeply frozen;
 * everything else is in a box.
 */
export type Stored = JsonValue | undefined | bigint | Box

/** A stored value in a snapshot: plain JSON data, under the name of its tier. */
export type PersistedValue =
  | { readonly json: JsonValue }
  /** Base64, and how many bytes it stands for. */
  | { readonly bytes: string; readonly length: number }
  /** Where in the {@link Blobs} beside the data the bytes begin, and how many there are. */
  | { readonly blob: number; readonly length: number }
  /** Text of the serialiser. */
  | { readonly coded: string }
  /** In state alone: the class and the fields of a `BlazenState`, whose values are entries of their own. */
  | { readonly object: JsonValue }

/** Bytes that are kept beside JSON data, as they are. */
export class Blobs {
  readonly #parts: Uint8Array[] = []
  #length = 0

  add(bytes: Uint8Array): { readonly blob: number; readonly length: number } {
    const blob = this.#length
    this.#parts.push(bytes)
    this.#length += bytes.length
    return { blob, length: bytes.length }
  }

  /** All of them, one after the other; `null` for none. */
  toBytes(): Uint8Array | null {
    const [first, ...others] = this.#parts
    if (first === undefined) return null
    if (others.length === 0) return first
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const part of this.#parts) {
      all.set(part, at)
      at += part.length
    }
    return all
  }
}

/** A stored value that does not stand for itself. */
export abstract class Box {
  abstract readonly tier: Tier
  abstract read(): unknown
  abstract persist(blobs: Blobs | undefined): PersistedValue
  readOwn(): unknown {
    return this.read()
  }
}

class Bytes extends Box {
  readonly tier = 'bytes'

  constructor(
    private readonly bytes: Uint8Array,
    private text?: string,
  ) {
    super()
  }

  read(): Uint8Array {
    return new Uint8Array(this.bytes)
  }

  persist(blobs: Blobs | undefined): PersistedValue {
    if (blobs !== undefined) return blobs.add(this.bytes)
    this.text ??= toBase64(this.bytes)
    return { bytes: this.text, length: this.bytes.length }
  }
}

class Coded extends Box {
  readonly tier = 'coded'

  constructor(
    private readonly value: unknown,
    private readonly isFrozen: boolean,
    private readonly classes: ClassRegistry,
    private text?: string,
  ) {
    super()
  }

  read(): unknown {
    return this.isFrozen ? this.value : giveCopy(this.value, this.classes)
  }

  override readOwn(): unknown {
    return giveCopy(this.value, this.classes, false)
  }

  persist(): PersistedValue {
    try {
      this.text ??= encodeText(this.value, this.classes)
    } catch (error) {
      throw new CodecError('live', `The value cannot be written: ${messageOf(error)}.`, '', { cause: error })
    }
    return { coded: this.text }
  }
}

class Live extends Box {
  readonly tier = 'live'

  constructor(
    private readonly value: unknown,
    readonly refusal: Refusal,
  ) {
    super()
  }

  read(): unknown {
    return this.value
  }

  persist(): PersistedValue {
    const { path, what } = this.refusal
    throw new CodecError(
      'live',
      `The value ${path ? `holds ${what} at ${path}` : `is ${what}`}, which exists in this process only: leave it out, register its class, or make it a resource of the session.`,
      path,
    )
  }
}

/** A value that this process cannot read, for want of a class. It is written again as it came. */
class Unreadable extends Box {
  readonly tier = 'coded'

  constructor(
    private readonly text: string,
    private readonly error: CodecError,
  ) {
    super()
  }

  read(): never {
    throw this.error
  }

  persist(): PersistedValue {
    return { coded: this.text }
  }
}

/**
 * Takes a value as it is now. Later changes to it change nothing here; a value that cannot be kept exactly is
 * kept as the live object that it is, see {@link refusalOf}. Never throws.
 *
 * @example
 * const cart = store({ items: ['tea'], since: new Date() })
 * read(cart) // { items: ['tea'], since: 2026-11-21… }, frozen but for the date, which is new for each reader
 */
export function store(value: unknown, classes: ClassRegistry = defaultClasses): Stored {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'boolean':
    case 'undefined':
    case 'bigint':
      return value
    default:
      return value === null ? null : storeObject(value, classes)
  }
}

/** The value. Plain data is frozen; what JavaScript cannot freeze is a new copy for each reader, so are errors; live values are themselves. */
export function read(stored: Stored): unknown {
  return stored instanceof Box ? stored.read() : stored
}

/** The value as a copy that is the reader's own to change, and nowhere frozen; live values are themselves. */
export function readOwn(stored: Stored): unknown {
  return stored instanceof Box ? stored.readOwn() : giveCopy(stored, defaultClasses, false)
}

/**
 * The value for a snapshot. It is encoded once, however often it is asked for.
 *
 * @param blobs - takes bytes as they are; without it they become text
 * @throws {@link CodecError} `live`, with the path to what cannot leave the process
 */
export function persist(stored: Stored, blobs?: Blobs): PersistedValue {
  if (stored instanceof Box) return stored.persist(blobs)
  return isJson(stored) ? { json: stored } : { coded: encodeText(stored, defaultClasses) }
}

/**
 * The stored value that {@link persist} wrote. A value whose class is not registered here is taken all the same,
 * and throws when it is read.
 *
 * @param where - what to call the value in errors, as in `state["cart"]`
 * @throws {@link CodecError} `damaged`
 */
export function revive(
  persisted: unknown,
  classes: ClassRegistry = defaultClasses,
  where = 'the value',
  blobs?: Uint8Array | null,
): Stored {
  const keys = typeof persisted === 'object' && persisted !== null ? Object.keys(persisted).join() : ''
  const part = (key: string): unknown => Reflect.get(Object(persisted), key)
  switch (keys) {
    case 'json':
      return reviveJson(part('json'), where)
    case 'bytes,length':
    case 'length,bytes':
      return reviveBytes(part('bytes'), part('length'), where)
    case 'blob,length':
    case 'length,blob':
      return reviveBlob(part('blob'), part('length'), blobs, where)
    case 'coded':
      return reviveCoded(part('coded'), classes, where)
    default:
      throw damaged(
        where,
        `expected { json }, { bytes, length } or { coded }, got ${keys ? `the keys ${keys}` : nameOf(persisted)}`,
      )
  }
}

/** How the value is kept. */
export function tierOf(stored: Stored): Tier {
  if (stored instanceof Box) return stored.tier
  return isJson(stored) ? 'json' : 'coded'
}

/** Whether the value exists in this process only, as the object that it is. */
export function isLive(stored: Stored): stored is Stored & object {
  return stored instanceof Live
}

/** Why a live value is live; undefined for the others. */
export function refusalOf(stored: Stored): Refusal | undefined {
  return stored instanceof Live ? stored.refusal : undefined
}

function storeObject(value: unknown, classes: ClassRegistry): Stored {
  const taken = takeCopy(value, classes)
  if ('refusal' in taken) return new Live(value, taken.refusal)
  if (taken.value instanceof Uint8Array) return new Bytes(taken.value)
  if (taken.value instanceof ArrayBuffer) return new Bytes(new Uint8Array(taken.value))
  return taken.isJson ? asJson(taken.value) : new Coded(taken.value, taken.isFrozen, classes)
}

function reviveBytes(text: unknown, length: unknown, where: string): Stored {
  if (typeof text !== 'string' || typeof length !== 'number')
    throw damaged(where, `expected base64 text and a length, got ${nameOf(text)} and ${nameOf(length)}`)
  const bytes = fromBase64(text, length)
  if (bytes === undefined)
    throw damaged(where, `expected base64 text for ${length} bytes, got ${text.length} characters that are not that`)
  return new Bytes(bytes, text)
}

function reviveBlob(from: unknown, length: unknown, blobs: Uint8Array | null | undefined, where: string): Stored {
  const isPart = Number.isInteger(from) && Number.isInteger(length) && Number(from) >= 0 && Number(length) >= 0
  const end = Number(from) + Number(length)
  if (blobs === undefined || blobs === null || !isPart || end > blobs.length) {
    throw damaged(where, `expected ${String(length)} bytes from ${String(from)} on, got ${blobs?.length ?? 'none'}`)
  }
  return new Bytes(blobs.slice(Number(from), end))
}

function reviveCoded(text: unknown, classes: ClassRegistry, where: string): Stored {
  if (typeof text !== 'string') throw damaged(where, `expected the serialiser's text, got ${nameOf(text)}`)
  let value: unknown
  try {
    value = decodeText(text, classes)
  } catch (error) {
    const why = messageOf(error)
    if (!(error instanceof MissingClass)) throw damaged(where, why, '', error)
    return new Unreadable(text, new CodecError('class-missing', `Cannot read ${where}: ${why}`, '', { cause: error }))
  }
  const taken = takeCopy(value, classes)
  if ('refusal' in taken) throw damaged(where, `found ${taken.refusal.what}`, taken.refusal.path)
  return typeof value === 'object' && value !== null
    ? new Coded(taken.value, taken.isFrozen, classes, text)
    : store(value)
}

/** JSON data from outside: copied, so that nobody can change it, and frozen. What was text a moment ago has no getters to look for. */
function reviveJson(value: unknown, where: string): JsonValue {
  const path: PathKey[] = []
  try {
    return freezeJson(value, path, 0)
  } catch (error) {
    throw damaged(where, messageOf(error), formatPath(path), error)
  }
}

/** Leaves the path as it is when it throws. */
function freezeJson(value: unknown, path: PathKey[], depth: number): JsonValue {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value
  if (typeof value === 'number' && isJsonNumber(value)) return value
  if (depth >= depthLimit) throw new Error(`expected JSON data, got data nested deeper than ${depthLimit} levels`)
  if (Array.isArray(value)) return freezeJsonArray(value, path, depth)
  if (!isPlainObject(value)) throw new Error(`expected JSON data, got ${nameOf(value)}`)
  const copy: Record<string, JsonValue> = {}
  for (const key of Object.keys(value)) {
    path[depth] = key
    const item = freezeJson(value[key], path, depth + 1)
    if (key === '__proto__') defineField(copy, key, item)
    else copy[key] = item
  }
  path.length = depth
  return Object.freeze(copy)
}

function freezeJsonArray(value: readonly unknown[], path: PathKey[], depth: number): JsonValue {
  const copy = new Array<JsonValue>(value.length)
  for (let index = 0; index < value.length; index++) {
    path[depth] = index
    copy[index] = freezeJson(value[index], path, depth + 1)
  }
  path.length = depth
  return Object.freeze(copy)
}

/** The one place that says of a copied value that it is JSON data: the copier has looked at all of it. */
function asJson(value: unknown): JsonValue {
  return value as JsonValue
}

function isJson(stored: Exclude<Stored, Box>): stored is JsonValue {
  return typeof stored === 'number' ? isJsonNumber(stored) : stored !== undefined && typeof stored !== 'bigint'
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'number') return `the number ${value}`
  return typeof value === 'object' && value !== null
    ? 'an object that is not plain'
    : value === null || value === undefined
      ? String(value)
      : `a ${typeof value}`
}

function damaged(where: string, why: string, path = '', cause?: unknown): CodecError {
  return new CodecError(
    'damaged',
    `Cannot read ${where}${path && `, at ${path}`}: ${why}. The snapshot was cut or changed.`,
    path,
    cause === undefined ? undefined : { cause },
  )
}
