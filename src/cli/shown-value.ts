import { inspect } from 'node:util'
import { toBase64 } from '../base64.ts'
import { EncodedInstance } from './stand-ins.ts'

/** In the place of a value that is not here, or cannot be read. */
export class Missing {
  constructor(
    /** `FieldStore`, `Unreadable`, … */
    readonly what: string,
    readonly why: string,
  ) {}

  [inspect.custom](): string {
    return `<${this.why}>`
  }
}

/** A value on one line or several, for people. */
export function toText(
  value: unknown,
  { width = 100, colors = false }: { width?: number; colors?: boolean } = {},
): string {
  return inspect(value, {
    depth: 6,
    breakLength: width,
    compact: 3,
    maxArrayLength: 50,
    maxStringLength: 2_000,
    colors,
  })
}

/** A value on one line of at most `width` characters. */
export function toLine(value: unknown, width = 80): string {
  const line = inspect(value, {
    depth: 3,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 10,
    maxStringLength: 200,
  })
  return shorten(line.replaceAll('\n', ' '), width)
}

/** A text from outside, so that it can do nothing to the terminal. */
export function toPlain(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
  return text.replace(/\p{Cc}/gu, (char) => escapes[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

export function shorten(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text
}

/** An event on one line: its type, and its data. */
export function toEventLine(event: unknown, width = 80): string {
  const { type, ...data } = Object(event) as { type?: unknown }
  if (typeof type !== 'string') return toLine(event, width)
  const name = toPlain(type.replace(/^blazen::/, ''))
  return Object.keys(data).length === 0 ? name : `${name} ${toLine(data, Math.max(20, width - name.length))}`
}

/** What was thrown, on one line. */
export function toErrorLine(error: unknown): string {
  return error instanceof Error ? toPlain(`${error.name}: ${error.message}`) : toLine(error)
}

/** A key, in quotes where it is no word. */
export function toKey(key: string): string {
  return /^[\w.:-]+$/.test(key) ? key : JSON.stringify(key)
}

/** A text as a shell takes it. */
export function toArgument(text: string): string {
  return /^[\w.:/@-]+$/.test(text) ? text : `'${toPlain(text).replaceAll("'", "'\\''")}'`
}

/**
 * A value as JSON data, for programs. Data is itself; what JSON has no word for is `{ $type, value }`: a date by its
 * ISO text, a Map by its pairs, bytes by their base64, an error or an instance by its fields.
 */
export function toJson(value: unknown, above: readonly object[] = []): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? value : typed('number', inspect(value))
    case 'undefined':
      return typed('undefined', null)
    case 'object':
      break
    default:
      return typed(typeof value, String(value))
  }
  if (value === null) return null
  if (above.includes(value)) return typed('circular', null)
  return toJsonObject(value, (part) => toJson(part, [...above, value]))
}

function toJsonObject(value: object, inner: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, inner)
  if (value instanceof Missing) return typed(value.what, value.why)
  if (value instanceof EncodedInstance) return typed(value.className, inner(value.data))
  if (value instanceof Date) return typed('Date', Number.isNaN(value.getTime()) ? null : value.toISOString())
  if (value instanceof Uint8Array) return typed('Uint8Array', toBase64(value))
  if (value instanceof Map)
    return typed(
      'Map',
      Array.from(value, (pair) => pair.map(inner)),
    )
  if (value instanceof Set) return typed('Set', Array.from(value, inner))
  if (value instanceof RegExp || value instanceof URL) return typed(nameOf(value), String(value))
  if (ArrayBuffer.isView(value)) return typed(nameOf(value), Array.from(value as Float64Array, inner))
  if (value instanceof Error) {
    const cause = value.cause === undefined ? {} : { cause: inner(value.cause) }
    return typed(nameOf(value), { message: value.message, ...cause, ...fieldsOf(value, inner) })
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  const fields = fieldsOf(value, inner)
  return prototype === null || prototype === Object.prototype ? fields : typed(nameOf(value), fields)
}

function fieldsOf(value: object, inner: (part: unknown) => unknown): object {
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inner(part)]))
}

function nameOf(value: object): string {
  const { name } = value.constructor ?? {}
  return typeof name === 'string' && name !== '' ? name : 'object'
}

function typed($type: string, value: unknown): object {
  return { $type, value }
}
