import type { Run } from '../machines/index.ts'
import { Box, read, type Stored } from './codec.ts'
import { BlazenError, SessionEntryLostError } from './errors.ts'
import { LiveRun } from './live-run.ts'
import { createNamespace, type UnknownKey, type Values } from './namespace.ts'
import type { Frozen } from './state.ts'
import { toEntryKey, toUserKey } from './state-key.ts'
import { StateObject } from './state-object.ts'

/**
 * A run's state for those who look on, by the words of `Map`: what its steps see, also what a step that runs has just
 * written. A value is the same (`===`) until it is written again.
 */
export interface SeenState<State extends object = Record<string, unknown>> {
  /** The value of a declared key; `undefined` where there is none. */
  get<Key extends keyof State & string>(key: Key): Frozen<State[Key]> | undefined
  /** The value of a declared key; `orElse` where there is none. */
  get<Key extends keyof State & string, Default>(
    key: Key,
    orElse: Default,
  ): Exclude<Frozen<State[Key]>, undefined> | Default
  /** The value of any key, where none are declared; `undefined` where there is none. */
  get<Value = unknown>(key: UnknownKey<State>): Value | undefined
  /** The value of any key, where none are declared; `orElse` where there is none. */
  get<Value>(key: UnknownKey<State>, orElse: Value): Value
  /** Whether there is a value; `null` and `undefined` are values. */
  has(key: string): boolean
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

/** The same by property. */
export type SeenProperties<State extends object> = { readonly [Key in keyof State]: Frozen<State[Key]> }

/** The state of a run, as whoever steers it sees it. */
export function createSeenState<State extends object>(run: Run): SeenState<State> & SeenProperties<State> {
  return createNamespace(new SeenValues(run), 'handler.state') as unknown as SeenState<State> & SeenProperties<State>
}

class SeenValues implements Values {
  readonly #run: Run
  /** Copies of what cannot be frozen: one for all who look on, none of which reaches the run. */
  readonly #copies = new WeakMap<Box, unknown>()

  constructor(run: Run) {
    this.#run = run
  }

  get(key: string): unknown {
    const { local, state } = this.#run
    const entryKey = toEntryKey(key)
    // A run that was never started, such as one of another process, has nothing here yet.
    const lost = local instanceof LiveRun ? local.lostStateAt(entryKey) : undefined
    if (lost !== undefined) throw new SessionEntryLostError('state', { ...lost, key })
    const stored = state.get(entryKey) as Stored
    if (!(stored instanceof Box)) return stored
    if (stored instanceof StateObject) return isThere(stored) ? stored.read() : undefined
    if (!this.#copies.has(stored)) this.#copies.set(stored, read(stored))
    return this.#copies.get(stored)
  }

  has(key: string): boolean {
    const { state } = this.#run
    const entryKey = toEntryKey(key)
    return state.has(entryKey) && isThere(state.get(entryKey))
  }

  *keys(): Iterable<string> {
    for (const entryKey of this.#run.state.keys()) {
      const key = toUserKey(entryKey)
      if (key !== undefined && isThere(this.#run.state.get(entryKey))) yield key
    }
  }

  set(key: string): never {
    return refuse(key)
  }

  delete(key: string): never {
    return refuse(key)
  }
}

/** A BlazenState out of a snapshot is there when it has been rebuilt, which is before the first step runs. */
function isThere(stored: unknown): boolean {
  return !(stored instanceof StateObject) || stored.instance !== undefined || stored.problem !== undefined
}

function refuse(key: string): never {
  throw new BlazenError(
    'state_read_only',
    `handler.state "${key}" can only be read: the steps of the run write it. Send the run an event, and have the step that accepts it call ctx.state.set("${key}", …).`,
  )
}
