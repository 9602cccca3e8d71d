import { type Attempt, collect } from '../machines/index.ts'
import type { Duration } from './duration.ts'
import { BlazenError } from './errors.ts'
import type { AnyEvent, AnyEventType, EventOf } from './event.ts'
import { LiveRun } from './live-run.ts'
import { createNamespace, type Namespace } from './namespace.ts'
import { AttemptState, createStateNamespace, type Frozen, type StateNamespace, type StateProperties } from './state.ts'

/** When a sent event is routed. */
export interface SendOptions {
  /** How long to wait before the event is routed. */
  readonly delay?: Duration
}

/** Live values by key, by the words of `Map`, and a way to open a resource. */
export interface SessionNamespace extends Namespace {
  /** Opens a resource of the workflow's `session`, once, and gives it; after that, `get` gives it too. */
  open<Value = unknown>(key: string): Promise<Value>
}

/** The attempt that a context is of. */
export let attemptOf: (ctx: StepContext) => Attempt

/** What a step's function gets beside its event: the run's state and session, and the ways to send and write. */
export class StepContext<State extends object = Record<string, unknown>> {
  static {
    attemptOf = (ctx) => ctx.#attempt
  }

  readonly #attempt: Attempt
  #values: AttemptState | undefined
  #state: (StateNamespace<State> & StateProperties<State>) | undefined
  #shared: (StateNamespace & Record<string, unknown>) | undefined
  #session: (SessionNamespace & Record<string, unknown>) | undefined

  constructor(attempt: Attempt) {
    this.#attempt = attempt
  }

  /** The id of the run. */
  get runId(): string {
    return this.#attempt.run.id
  }

  /** The workflow's name. */
  get workflow(): string {
    return this.#live.name
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
  get state(): StateNamespace<State> & StateProperties<State> {
    this.#state ??= createStateNamespace<State>(this.#stateValues)
    return this.#state
  }

  /**
   * The state of the pipeline that this run is a stage of, or inside one; committed with this step. Other stages see it.
   *
   * @throws BlazenError (`no_pipeline`) in a run that is in no pipeline.
   */
  get shared(): StateNamespace & Record<string, unknown> {
    const { sharing } = this.#attempt.run
    if (sharing === undefined) {
      throw new BlazenError(
        'no_pipeline',
        `Step "${this.step}" reads ctx.shared, and its run is in no pipeline: use ctx.state, or run the workflow as a stage.`,
      )
    }
    this.#shared ??= createStateNamespace(
      new AttemptState(this.#attempt, () => this.#open('change shared state'), sharing),
      'ctx.shared',
    )
    return this.#shared
  }

  /** Live references: connections, sockets, functions; and the workflow's resources. Never copied. */
  get session(): SessionNamespace & Record<string, unknown> {
    if (this.#session === undefined) {
      const view = this.#live.session.viewFor(this as StepContext, () => this.#live.now())
      const { open } = view
      this.#session = createNamespace(view, 'ctx.session', { open }) as SessionNamespace & Record<string, unknown>
    }
    return this.#session
  }

  /** `ctx.state.set`. */
  set<Key extends keyof State & string>(key: Key, value: Frozen<State[Key]>): void
  set(key: string extends keyof State ? string : never, value: unknown): void
  set(key: string, value: unknown): void {
    this.#stateValues.set(key, value)
  }

  /** Looks in state, then in the session; `orElse` (or `undefined`) where neither has the key. */
  get<Key extends keyof State & string>(key: Key): Frozen<State[Key]> | undefined
  get<Key extends keyof State & string, Default>(
    key: Key,
    orElse: Default,
  ): Exclude<Frozen<State[Key]>, undefined> | Default
  get<Value = unknown>(key: string): Value | undefined
  get<Value>(key: string, orElse: Value): Value
  get(key: string, orElse?: unknown): unknown {
    if (this.#stateValues.has(key)) return this.#stateValues.get(key)
    return this.session.has(key)
      ? this.session.get(key)
      : (this.#stateValues.get(key) ?? this.session.get(key) ?? orElse)
  }

  /** Keeps a copy of the bytes in state. */
  setBytes(key: string, bytes: Uint8Array | ArrayBuffer): void {
    this.#stateValues.set(key, bytes)
  }

  /** A copy of the bytes in state; `undefined` where there are none. */
  getBytes(key: string): Uint8Array | undefined {
    const bytes = this.#stateValues.get(key)
    return bytes instanceof Uint8Array ? bytes : undefined
  }

  /** Routes an event at once (or after a `delay`, which a restart does not forget), while this step goes on. Not routed twice if the step runs again. */
  sendEvent(event: AnyEvent, options: SendOptions = {}): void {
    const attempt = this.#open('send an event')
    this.#live.send(attempt, event, options.delay)
  }

  /** Writes an event outward: to `handler.stream()` and `actor.on`. It is not routed. */
  writeEventToStream(event: AnyEvent): void {
    this.#open('write to the stream')
    this.#live.write(event, this.step)
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
    if (attempt.collected === undefined) {
      attempt.collected = []
      run.collecting.set(attempt.execution.id, attempt.collected)
    }
    return collect(run.collections, execution, attempt.collected, count, run) as EventOf<Type>[] | undefined
  }

  get #stateValues(): AttemptState {
    this.#values ??= new AttemptState(this.#attempt, () => this.#open('change state'))
    return this.#values
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
