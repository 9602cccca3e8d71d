import { classOf } from './class-codec.ts'
import { CodecError, messageOf } from './codec-error.ts'

/** Why a value cannot be kept: where the reason is, and what is there. */
export interface Refusal {
  /** As in `orders[3].customer.socket`; empty for the value itself. */
  readonly path: string
  /** As in `a function`. */
  readonly what: string
}

/** A step of a path: a field, an index, or a Map's key or a Set's member in brackets. */
export type PathKey = string | number | readonly [mapKey: unknown]

/** Thrown inside a copier alone: one catch deals with it, with traps of proxies that throw, and with an exhausted stack. */
export class Unkeepable {
  constructor(readonly what: string) {}
}

/** What to tell about anything that was thrown while a value was copied. */
export function toRefusal(thrown: unknown, path: readonly PathKey[]): Refusal {
  return { path: formatPath(path), what: thrown instanceof Unkeepable ? thrown.what : describeFailure(thrown) }
}

function describeFailure(thrown: unknown): string {
  const why = messageOf(thrown)
  return thrown instanceof CodecError
    ? `an instance of a class that cannot be registered (${why})`
    : `something that cannot be read (${why})`
}

/** What a live value is, in words. */
export function describe(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (typeof value !== 'object' || value === null) return `a ${typeof value}`
  const prototype: object | null = Object.getPrototypeOf(value)
  const name = prototype === null ? '' : (classOf(prototype)?.name ?? '')
  return name === ''
    ? 'an instance of a class without a name'
    : `an instance of ${name}, which no codec is registered for`
}

/** A path as one would write it in code. */
export function formatPath(keys: readonly PathKey[]): string {
  const path = keys.map(formatKey).join('')
  return path.startsWith('.') ? path.slice(1) : path
}

function formatKey(key: PathKey): string {
  if (typeof key === 'number') return `[${key}]`
  if (typeof key === 'string') return /^[A-Za-z_$][\w$]*(\(\))?$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
  const [mapKey] = key
  return `.get(${typeof mapKey === 'string' ? JSON.stringify(mapKey) : isObject(mapKey) ? '…' : String(mapKey)})`
}

function isObject(value: unknown): boolean {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
