import { enableMapSet, produce } from 'immer'
import { type Attempt, deleted, Writes } from '../machines/index.ts'
import { BlazenState } from './blazen-state.ts'
import { read, type Stored, store } from './codec.ts'
import { BlazenError, SessionEntryLostError } from './errors.ts'
import { LiveRun } from './live-run.ts'
import { createNamespace, type Namespace, type Values } from './namespace.ts'
import { setObject } from './state-capture.ts'
import { toEntryKey, toUserKey } from './state-key.ts'
import { hold, StateObject } from './state-object.ts'

/** Durable values by key, by the words of `Map`, and a way to change one. */
export interface StateNamespace<State extends object = Record<string, unknown>> extends Namespace<State> {
  /**
   * Changes a value with an Immer recipe: change the draft, or return the next value. Atomic: other steps may change
   * the same value at the same time, and nothing is lost. The recipe has to be pure, since it runs again when the step
   * settles, on the value as it is then.
   *
   * @example ctx.state.update('orders', (orders) => { orders.push(order) })
   * @example ctx.state.update('count', (count) => count + 1)
   */
  update<Key extends keyof State & string>(key: Key, recipe: Recipe<State[Key]>): void
  update<Value>(key: string extends keyof State ? string : never, recipe: Recipe<Value>): void
}

/** Changes the draft it gets, or returns the next value. */
export type Recipe<Value> = (draft: Value) => Value | void

/** State as one attempt sees and changes it. */
export class AttemptState implements Values {
  readonly #attempt: Attempt
  readonly #check: () => Attempt

  /** @param check gives the attempt, and throws when it is over. */
  constructor(attempt: Attempt, check: () => Attempt) {
    this.#attempt = attempt
    this.#check = check
  }

  /** @throws SessionEntryLostError for a live value that was left out of the snapshot that the run came from. */
  get(key: string): unknown {
    const { run } = this.#attempt
    const entryKey = toEntryKey(key)
    const lost = LiveRun.of(run).lostStateAt(entryKey)
    if (lost !== undefined) throw new SessionEntryLostError('state', { ...lost, key })
    const stored = run.state.get(entryKey)
    const value = read(stored as Stored)
    if (stored instanceof StateObject && value instanceof BlazenState) hold(value, this.#attempt)
    return value
  }

  has(key: string): boolean {
    return this.#attempt.run.state.has(toEntryKey(key))
  }

  set(key: string, value: unknown): void {
    const attempt = this.#check()
    const { run } = attempt
    const { classes } = LiveRun.of(run).blueprint
    if (value instanceof BlazenState) setObject(attempt, this.#writes, key, value, classes)
    else run.state.write(this.#writes, toEntryKey(key), store(value, classes))
  }

  update(key: string, recipe: Recipe<unknown>): void {
    const { run } = this.#check()
    const { classes } = LiveRun.of(run).blueprint
    enableMapSet()
    const apply = (before: unknown) => {
      const after = before instanceof StateObject ? before.read() : produce(read(before as Stored), recipe)
      if (!(after instanceof BlazenState)) return store(after, classes)
      throw new BlazenError(
        'state_update',
        `ctx.state.update("${key}"): a BlazenState is no value that a recipe changes. Change its fields and set it: const s = ctx.get("${key}"); …; ctx.set("${key}", s).`,
      )
    }
    const entryKey = toEntryKey(key)
    // Run once here, so that a recipe that throws does so where it was written.
    apply(run.state.get(entryKey))
    run.state.change(this.#writes, entryKey, apply)
  }

  delete(key: string): boolean {
    const { run } = this.#check()
    const entryKey = toEntryKey(key)
    const had = run.state.has(entryKey)
    if (had) run.state.write(this.#writes, entryKey, deleted)
    return had
  }

  *keys(): Iterable<string> {
    for (const entryKey of this.#attempt.run.state.keys()) {
      const key = toUserKey(entryKey)
      if (key !== undefined) yield key
    }
  }

  get #writes(): Writes {
    this.#attempt.writes ??= new Writes()
    return this.#attempt.writes
  }
}

export function createStateNamespace<State extends object>(state: AttemptState): StateNamespace<State> & State {
  const update = (key: string, recipe: Recipe<unknown>) => state.update(key, recipe)
  return createNamespace<State>(state, 'ctx.state', { update }) as StateNamespace<State> & State
}
