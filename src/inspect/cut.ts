import type { Redactor } from './redact.ts'

/** How much of a value is shown. */
export interface Limits {
  readonly redact: Redactor
  /** Characters of a text. */
  readonly maxLength: number
  /** Levels, and items of one level. */
  readonly maxDepth: number
  readonly maxItems: number
}

/** How many parts of one value are looked at, whatever its shape. */
const maxParts = 2_000

/**
 * A picture of any value as plain JSON data: secrets taken out, what is long or deep cut, what is live named by its
 * class. It calls no getter and no method of a user's class, and never throws.
 */
export function cut(value: unknown, limits: Limits): unknown {
  let parts = 0
  const above = new Set<object>()

  const show = (key: string, value: unknown, depth: number): unknown => {
    const shown = redacted(key, value, limits.redact)
    if (typeof shown === 'string') return shorten(shown, limits.maxLength)
    if (typeof shown !== 'object' || shown === null) return showSimple(shown)
    if (above.has(shown)) return '[circular]'
    try {
      return showObject(shown, depth)
    } catch (error) {
      // A proxy may throw at any look.
      return `[not shown: ${error instanceof Error ? error.name : 'an error'}]`
    } finally {
      above.delete(shown)
    }
  }

  const showObject = (shown: object, depth: number): unknown => {
    const simple = showBuiltIn(shown)
    if (simple !== undefined) return simple
    if (depth >= limits.maxDepth || ++parts > maxParts) return nameOf(shown)
    above.add(shown)
    return showParts(shown, depth)
  }

  const showParts = (object: object, depth: number): unknown => {
    if (Array.isArray(object)) return showItems(object.length, object, depth)
    if (object instanceof Set) return showItems(object.size, object, depth)
    if (object instanceof Map) return showEntries(nameless(object), object.size, object, depth)
    const keys = Object.keys(object)
    const named = object instanceof Error ? ['name', 'message', 'stack', 'cause', ...keys] : keys
    return showEntries(nameless(object), named.length, fieldsOf(object, named), depth)
  }

  const showItems = (size: number, items: Iterable<unknown>, depth: number): unknown[] => {
    const shown: unknown[] = []
    for (const item of items) {
      if (shown.length >= limits.maxItems || parts > maxParts) break
      parts++
      shown.push(show('', item, depth + 1))
    }
    if (shown.length < size) shown.push(`… ${size - shown.length} more`)
    return shown
  }

  const showEntries = (
    begin: Record<string, unknown>,
    size: number,
    entries: Iterable<readonly [unknown, unknown]>,
    depth: number,
  ): Record<string, unknown> => {
    let count = 0
    for (const [key, value] of entries) {
      if (count >= limits.maxItems || parts > maxParts) {
        begin['…'] = `${size - count} more`
        break
      }
      count++
      parts++
      const name = typeof key === 'object' && key !== null ? nameOf(key) : String(key)
      begin[name === '__proto__' ? '[__proto__]' : name] = show(name, value, depth + 1)
    }
    return begin
  }

  return show('', value, 0)
}

export function shorten(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}… (${text.length - maxLength} more)`
}

function redacted(key: string, value: unknown, redact: Redactor): unknown {
  try {
    return redact(key, value)
  } catch {
    // A redactor that fails must not let a secret out.
    return '[redacted]'
  }
}

function showSimple(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'symbol') return String(value)
  if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return value
}

/** What says all in one word. */
function showBuiltIn(value: object): string | undefined {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (value instanceof URL || value instanceof RegExp) return String(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${classOf(value)} ${value.byteLength} bytes]`
  return value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet ? nameOf(value) : undefined
}

/** Own fields that are data; of the rest it is said that they are computed. */
function* fieldsOf(object: object, keys: readonly string[]): Iterable<readonly [string, unknown]> {
  for (const key of new Set(keys)) {
    const field = Object.getOwnPropertyDescriptor(object, key)
    if (field !== undefined) yield [key, 'value' in field ? field.value : '[computed]']
    else if (key === 'name' && object instanceof Error) yield [key, classOf(object)]
  }
}

/** What the picture of an object begins with: its class, where it has one of its own. */
function nameless(object: object): Record<string, unknown> {
  const name = classOf(object)
  return name === 'Object' || object instanceof Error ? {} : { '[class]': name }
}

function nameOf(value: object): string {
  return Array.isArray(value) ? `[Array ${value.length}]` : `[${classOf(value)}]`
}

function classOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (typeof prototype !== 'object' || prototype === null) return 'Object'
  const maker: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  return typeof maker === 'function' && maker.name !== '' ? maker.name : 'Object'
}
