import { enableMapSet, Immer, isDraftable } from 'immer'
import { type Attempt, deleted, type Run, Writes } from '../machines/index.ts'
import { BlazenState } from './blazen-state.ts'
import { isLive, read, readOwn, type Stored, store } from './codec.ts'
import { BlazenError, SessionEntryLostError } from './errors.ts'
import { LiveRun } from './live-run.ts'
import { createNamespace, type Namespace, type Values } from './namespace.ts'
import { noteOrigin } from './origin.ts'
import { setObject } from './state-capture.ts'
import { toEntryKey, toUserKey } from './state-key.ts'
import { hold, StateObject } from './state-object.ts'

/**
 * A value as it comes out of state: what is plain data is frozen, all the way down. Maps, sets, dates, bytes and errors
 * are copies of one's own, and a `BlazenState` is the very instance.
 */
export type Frozen<Value> = unknown extends Value
  ? Value
  : Value extends Primitive | Copied | BlazenState
    ? Value
    : { readonly [Key in keyof Value]: Frozen<Value[Key]> }

type Primitive = string | number | bigint | boolean | symbol | null | undefined
type Copied =
  | ((...args: never) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView

/** State by property: read frozen, written whole. */
export type StateProperties<State extends object> = { -readonly [Key in keyof State]: Frozen<State[Key]> }

/** Durable values by key, by the words of `Map`, and a way to change one. */
export interface StateNamespace<State extends object = Record<string, unknown>>
  extends Namespace<StateProperties<State>> {
  /**
   * Changes a value with an Immer recipe: change the draft, or return the next value. Atomic: other steps may change
   * the same value at the same time, and nothing is lost. The recipe has to be pure, since it runs again when the step
   * settles, on the value as it is then.
   *
   * @example ctx.state.update('orders', (orders) => { orders.push(order) })
   * @example ctx.state.update('count', (count) => count + 1)
   */
  update<Key extends keyof State & string>(key: Key, recipe: Recipe<State[Key]>): void
  /** The same for any key, where none are declared. */
  update<Value>(key: string extends keyof State ? string : never, recipe: Recipe<Value>): void
}

/** Changes the draft it gets, or returns the next value. */
export type Recipe<Value> = (draft: Value) => Value | void

/** State as one attempt sees and changes it. */
export class AttemptState implements Values {
  readonly #attempt: Attempt
  /** The run whose state it is: the attempt's own, or one around it. */
  readonly #run: Run
  readonly #check: () => Attempt

  /** @param check gives the attempt, and throws when it is over. */
  constructor(attempt: Attempt, check: () => Attempt, run: Run = attempt.run) {
    this.#attempt = attempt
    this.#run = run
    this.#check = check
  }

  /** @throws SessionEntryLostError for a live value that was left out of the snapshot that the run came from. */
  get(key: string): unknown {
    const run = this.#run
    const entryKey = toEntryKey(key)
    const lost = LiveRun.of(run).lostStateAt(entryKey)
    if (lost !== undefined) throw new SessionEntryLostError('state', { ...lost, key })
    const stored = run.state.get(entryKey)
    const value = read(stored as Stored)
    if (stored instanceof StateObject && value instanceof BlazenState) hold(value, this.#attempt)
    return value
  }

  has(key: string): boolean {
    return this.#run.state.has(toEntryKey(key))
  }

  set(key: string, value: unknown): void {
    const attempt = this.#check()
    const run = this.#run
    if (value instanceof BlazenState) {
      if (run !== attempt.run) {
        throw new BlazenError(
          'state_invalid',
          `ctx.shared "${key}": a BlazenState belongs to the run that sets it. Share its fields, or keep it in ctx.state.`,
        )
      }
      setObject(attempt, this.#writes, key, value, LiveRun.of(run))
    } else run.state.write(this.#writes, toEntryKey(key), this.#store(value))
  }

  update(key: string, recipe: Recipe<unknown>): void {
    this.#check()
    const run = this.#run
    const entryKey = toEntryKey(key)
    const apply = (before: unknown) => this.#store(changeValue(key, before as Stored, recipe))
    // Run once here, so that a recipe that throws does so where it was written; the log finds what it gave.
    const seen = run.state.get(entryKey)
    let first: { readonly after: Stored } | undefined = { after: apply(seen) }
    run.state.change(this.#writes, entryKey, (before) => {
      const { after } = first !== undefined && Object.is(before, seen) ? first : { after: apply(before) }
      first = undefined
      return after
    })
    // On a value that nobody else changes meanwhile, the recipe has run for good.
    run.state.get(entryKey)
  }

  delete(key: string): boolean {
    this.#check()
    const run = this.#run
    const entryKey = toEntryKey(key)
    const had = run.state.has(entryKey)
    if (had || run.state.isLost(entryKey)) run.state.write(this.#writes, entryKey, deleted)
    return had
  }

  *keys(): Iterable<string> {
    for (const entryKey of this.#run.state.keys()) {
      const key = toUserKey(entryKey)
      if (key !== undefined) yield key
    }
  }

  #store(value: unknown): Stored {
    const { run, execution } = this.#attempt
    const live = LiveRun.of(run)
    const stored = store(value, live.blueprint.classes)
    if (isLive(stored)) noteOrigin(stored, { step: execution.step, at: live.now() })
    return stored
  }

  get #writes(): Writes {
    const attempt = this.#attempt
    if (this.#run !== attempt.run) return (attempt.shared ??= new Writes())
    return (attempt.writes ??= new Writes())
  }
}

let immer: Immer | undefined

/** An Immer that freezes nothing: it would freeze what the caller puts into a draft, and give Maps and Sets fields of their own. */
function drafts(): Immer {
  if (immer !== undefined) return immer
  enableMapSet()
  return (immer = new Immer({ autoFreeze: false }))
}

function changeValue(key: string, before: Stored, recipe: Recipe<unknown>): unknown {
  const after = before instanceof StateObject ? before.read() : applyRecipe(key, before, recipe)
  if (!(after instanceof BlazenState)) return after
  throw new BlazenError(
    'state_update',
    `ctx.state.update("${key}"): a BlazenState is no value that a recipe changes. Change its fields and set it: const s = ctx.get("${key}"); …; ctx.set("${key}", s).`,
  )
}

/** What Immer makes no draft of (bytes, dates, instances of classes) the recipe gets as a copy of its own. */
function applyRecipe(key: string, before: Stored, recipe: Recipe<unknown>): unknown {
  const value = isDraftable(read(before)) ? read(before) : readOwn(before)
  if (typeof value !== 'object' || value === null || isDraftable(value)) return drafts().produce(value, recipe)
  if (isLive(before)) {
    throw new BlazenError(
      'state_update',
      `ctx.state "${key}" holds a live value, of which there is no copy to change. Change the object itself: ctx.state.get("${key}").`,
    )
  }
  const next = recipe(value)
  return next === undefined ? value : next
}

export function createStateNamespace<State extends object>(
  state: AttemptState,
  name = 'ctx.state',
): StateNamespace<State> & StateProperties<State> {
  const update = (key: string, recipe: Recipe<unknown>) => state.update(key, recipe)
  return createNamespace<State>(state, name, { update }) as StateNamespace<State> & StateProperties<State>
}
