import { type Attempt, collect, deleted } from '../machines/index.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent, AnyEventType, EventOf } from './event.ts'
import { LiveRun } from './live-run.ts'
import { createNamespace, type Namespace, type Values } from './namespace.ts'

/** What a step's function gets beside its event: the run's state and session, and the ways to send and write. */
export class StepContext<State extends object = Record<string, unknown>> {
  readonly #attempt: Attempt
  #state: (Namespace<State> & State) | undefined
  #session: (Namespace & Record<string, unknown>) | undefined

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  get runId(): string {
    return this.#attempt.run.id
  }

  /** The workflow's name. */
  get workflow(): string {
    return this.#live.definition.name
  }

  /** The step's name. */
  get step(): string {
    return this.#attempt.execution.step
  }

  /** The number of this attempt, from 1. */
  get attempt(): number {
    return this.#attempt.number
  }

  /** The same over all attempts of this step on this event: a key to make effects outside idempotent with. */
  get executionId(): string {
    return `${this.#attempt.run.id}/${this.#attempt.execution.id}`
  }

  /** Aborted when the run ends without this step, or its time is up. Pass it on: to `fetch`, to timers. */
  get signal(): AbortSignal {
    return this.#attempt.signal
  }

  /**
   * The run's durable values, shared by its steps. A write is seen by other steps at once; if this attempt fails, it
   * is taken back.
   */
  get state(): Namespace<State> & State {
    this.#state ??= createNamespace<State>(
      new StateValues(this.#attempt, () => this.#open('change state')),
      'ctx.state',
    )
    return this.#state
  }

  /** Live references: connections, sockets, functions. Never copied, never part of a snapshot. */
  get session(): Namespace & Record<string, unknown> {
    this.#session ??= createNamespace<Record<string, unknown>>(this.#live.session, 'ctx.session')
    return this.#session
  }

  /** `ctx.state.set`. */
  set<Key extends keyof State & string>(key: Key, value: State[Key]): void
  set(key: string extends keyof State ? string : never, value: unknown): void
  set(key: string, value: unknown): void {
    this.#open('change state').run.state.write(writesOf(this.#attempt), key, value)
  }

  /** Looks in state, then in the session; `orElse` (or `undefined`) where neither has the key. */
  get<Key extends keyof State & string>(key: Key): State[Key] | undefined
  get<Key extends keyof State & string, Default>(key: Key, orElse: Default): Exclude<State[Key], undefined> | Default
  get<Value = unknown>(key: string): Value | undefined
  get<Value>(key: string, orElse: Value): Value
  get(key: string, orElse?: unknown): unknown {
    const { state } = this.#attempt.run
    if (state.has(key)) return state.get(key)
    const { session } = this.#live
    return session.has(key) ? session.get(key) : orElse
  }

  /** Keeps a copy of the bytes in state. */
  setBytes(key: string, bytes: Uint8Array | ArrayBuffer): void {
    const copy = bytes instanceof Uint8Array ? new Uint8Array(bytes) : new Uint8Array(bytes.slice(0))
    this.#open('change state').run.state.write(writesOf(this.#attempt), key, copy)
  }

  /** A copy of the bytes in state; `undefined` where there are none. */
  getBytes(key: string): Uint8Array | undefined {
    const bytes = this.#attempt.run.state.get(key)
    return bytes instanceof Uint8Array ? bytes.slice() : undefined
  }

  /** Routes an event at once, while this step goes on. Not routed twice if the step runs again. */
  sendEvent(event: AnyEvent): void {
    const attempt = this.#open('send an event')
    this.#live.send(attempt, event)
  }

  /** Writes an event outward: to `handler.stream()` and `actor.on`. It is not routed. */
  writeEventToStream(event: AnyEvent): void {
    this.#open('write to the stream')
    this.#live.write(event)
  }

  /**
   * Fan-in: adds the event being handled to those that wait, and takes the `count` oldest ones; `undefined` while there
   * are fewer. Of all executions, exactly one gets them.
   *
   * @param Type the type of the event being handled.
   */
  collect<Type extends AnyEventType>(Type: Type, count: number): EventOf<Type>[] | undefined {
    const attempt = this.#open('collect')
    const { execution, run } = attempt
    if (execution.type !== Type.type) {
      throw new BlazenError(
        'collect',
        `Step "${execution.step}" collects "${Type.type}" while it handles "${execution.type}": collect the type of the event being handled.`,
      )
    }
    if (!Number.isInteger(count) || count < 1) {
      throw new BlazenError(
        'collect',
        `Step "${execution.step}" collects ${String(count)} events of "${Type.type}": expected a whole number of at least 1.`,
      )
    }
    attempt.collected ??= []
    return collect(run.collections, execution, attempt.collected, count) as EventOf<Type>[] | undefined
  }

  get #live(): LiveRun {
    return LiveRun.of(this.#attempt.run)
  }

  /** The attempt, if it is not over. */
  #open(what: string): Attempt {
    if (!this.#attempt.over) return this.#attempt
    const { step, type } = this.#attempt.execution
    throw new BlazenError(
      'attempt_over',
      `Step "${step}" tried to ${what} after its attempt on "${type}" was over: it had returned, failed, timed out or been aborted. Await all work before you return, and stop on ctx.signal.`,
    )
  }
}

function writesOf(attempt: Attempt): Map<string, unknown> {
  attempt.writes ??= new Map()
  return attempt.writes
}

/** State as one attempt sees and changes it. */
class StateValues implements Values {
  readonly #attempt: Attempt
  readonly #check: () => Attempt

  constructor(attempt: Attempt, check: () => Attempt) {
    this.#attempt = attempt
    this.#check = check
  }
  get(key: string): unknown {
    return this.#attempt.run.state.get(key)
  }
  has(key: string): boolean {
    return this.#attempt.run.state.has(key)
  }
  set(key: string, value: unknown): void {
    this.#check().run.state.write(writesOf(this.#attempt), key, value)
  }
  delete(key: string): boolean {
    const had = this.has(key)
    if (had) this.#check().run.state.write(writesOf(this.#attempt), key, deleted)
    return had
  }
  keys(): Iterable<string> {
    return this.#attempt.run.state.keys()
  }
}
