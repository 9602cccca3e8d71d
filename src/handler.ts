import type { AnyActorRef, AnyEventObject } from 'xstate'
import { fail, type Paused, type Run } from '../machines/index.ts'
import type { SendOptions } from './context.ts'
import {
  BlazenError,
  EventValidationError,
  InputRequestError,
  RunAbortedError,
  RunFinishedError,
  UnhandledEventError,
} from './errors.ts'
import { type AnyEvent, type InputRequestEvent, InputResponseEvent, isEvent } from './event.ts'
import { type HistoryRecord, toHistory } from './history.ts'
import { LiveRun, pausedRuns } from './live-run.ts'
import { findRequest, notOpen, pendingInputs, toAnswered } from './open-request.ts'
import { RunChanges } from './run-changes.ts'
import { RunJournal } from './run-journal.ts'
import { createSeenState, type SeenProperties, type SeenState } from './seen-state.ts'
import type { WorkflowSnapshot } from './snapshot.ts'
import { progressOf, type StageState, stagesOf } from './stage-status.ts'
import type { RunStream, StreamOptions } from './stream.ts'
import type { RunUsage } from './telemetry.ts'

/** Where a run stands. `waiting`: only a person, or an event from outside, can move it on. */
export type RunStatus = 'running' | 'waiting' | 'pausing' | 'paused' | 'completed' | 'failed' | 'aborted'

const inspectCustom = Symbol.for('nodejs.util.inspect.custom')

const ended: ReadonlySet<RunStatus> = new Set(['completed', 'failed', 'aborted'])

/** How a run is paused. */
export interface PauseOptions {
  /**
   * Whether steps that run are waited for, or aborted and run again after the resume.
   *
   * @default 'wait'
   */
  readonly inFlight?: 'wait' | 'abort'
}

/**
 * Steers one run. Any number of callers may use it at once: await the result, read the stream, answer, pause, abort.
 * Losing it does not end the run.
 *
 * @typeParam State what `state` holds; unchecked when left out.
 */
// biome-ignore lint/suspicious/noExplicitAny: whoever names the result alone takes the handlers of all workflows, whatever their state.
export class WorkflowHandler<Result = unknown, State extends object = any> {
  readonly #run: Run
  readonly #live: LiveRun
  #result: Promise<Result> | undefined
  #outcome: PromiseSettledResult<Result> | undefined
  #state: (SeenState<State> & SeenProperties<State>) | undefined
  #changes: RunChanges | undefined

  constructor(
    /** The XState actor that is the run. */
    readonly actor: AnyActorRef,
  ) {
    this.#run = actor.getSnapshot().context.run
    this.#live = LiveRun.of(this.#run)
  }

  /** The id of the run. */
  get runId(): string {
    return this.#run.id
  }

  /** Where the run stands now. */
  get status(): RunStatus {
    const { value, status } = this.actor.getSnapshot()
    // An actor that was stopped, or that broke, leaves its run where it was, and nothing will move it on.
    if (status === 'stopped') return 'aborted'
    return status === 'error' && !ended.has(value) ? 'failed' : value
  }

  /**
   * What the first `StopEvent` held: the very object. Rejects with the error that the run failed with.
   * Every call gives the same promise.
   */
  result(): Promise<Result> {
    this.#result ??= this.#settle()
    return this.#result
  }

  /** How the run has ended, as `result()` tells it, without waiting; `undefined` while it goes on. Always the same object. */
  get outcome(): PromiseSettledResult<Result> | undefined {
    if (this.#outcome !== undefined) return this.#outcome
    const { status, output, error } = this.actor.getSnapshot()
    if (status === 'done') this.#outcome = { status: 'fulfilled', value: output }
    else if (status === 'error') this.#outcome = { status: 'rejected', reason: error }
    else if (status === 'stopped')
      this.#outcome = { status: 'rejected', reason: new RunAbortedError(this.runId, 'its actor was stopped') }
    return this.#outcome
  }

  /**
   * The run's state, to be read: what its steps see, also what a step that runs has just written. A value is the same
   * (`===`) until it is written again; what cannot be frozen is a copy, which no change takes to the run.
   */
  get state(): SeenState<State> & SeenProperties<State> {
    this.#state ??= createSeenState<State>(this.#run)
    return this.#state
  }

  /**
   * Has `listener` called when the run has changed: its status, its pending inputs, or its state. Once for all that
   * happens in a turn of the event loop, and at most once a frame (16 ms). Gives the function that ends it.
   */
  subscribe(listener: () => void): () => void {
    this.#changes ??= new RunChanges(this.actor, this.#run)
    return this.#changes.subscribe(listener)
  }

  /**
   * How far the run is, from 0 to 100; 100 only when it has completed. Of a pipeline, it is counted by stages; of another
   * workflow, it is what its steps last said with a `ProgressEvent`.
   */
  get progress(): number {
    return this.status === 'completed' ? 100 : Math.min(99, Math.floor(100 * progressOf(this.#run)))
  }

  /** What steps have said to have used, by `UsageEvent`s, in this process; with what runs inside have used. */
  get usage(): RunUsage {
    return this.#live.telemetry.usage()
  }

  /** Of a run of a pipeline, its stages in order: where each stands, what it came to, how long it took. */
  get stages(): readonly StageState[] {
    return stagesOf(this.#run)
  }

  /** What the steps have written, and the input requests; from the first event unless told otherwise. It always ends. */
  stream(options?: StreamOptions): RunStream {
    return this.#live.stream.read(options)
  }

  /** Ends the run with a `RunAbortedError`, and aborts the signals of its steps. A run that has ended is left as it is. */
  abort(reason?: unknown): void {
    if (!ended.has(this.status)) this.actor.send(fail({ kind: 'aborted', reason }))
  }

  /**
   * Routes an event from outside, at once or after a `delay`, which a restart does not forget. Resolves when the run
   * has taken it.
   *
   * @throws EventValidationError, UnhandledEventError or RunFinishedError; the run is not disturbed.
   */
  async sendEvent(event: AnyEvent, { delay }: SendOptions = {}): Promise<void> {
    this.#checkAlive()
    if (!isEvent(event)) {
      throw new EventValidationError(
        'sendEvent expects an event: an object with a string `type`, as creators make.',
        '',
      )
    }
    const { accepted } = this.#live.blueprint
    // A run inside may have asked, though no step of this one accepts answers.
    const isAsked = InputResponseEvent.is(event) && findRequest(this.#run, event.requestId) !== undefined
    if (!isAsked && !accepted.includes(event.type)) throw new UnhandledEventError(event, undefined, accepted)
    if (InputResponseEvent.is(event)) {
      if (delay === undefined) return this.respondToInput(event.requestId, event.response)
      throw new InputRequestError('An answer cannot be delayed: give it when it is due.', event.requestId)
    }
    const sent = this.#live.toSent(event, undefined, delay)
    await this.#deliver(sent.dueAt === undefined ? sent.event : sent)
  }

  /** The questions that have no answer yet, the oldest first. */
  get pendingInputs(): readonly InputRequestEvent[] {
    return pendingInputs(this.#run)
  }

  /**
   * Answers a request: its `InputResponseEvent` is routed. Resolves when the run has taken it.
   *
   * @throws InputRequestError if no such request is open: unknown, or answered already; the run is not disturbed.
   */
  async respondToInput(requestId: string, response: unknown): Promise<void> {
    this.#checkAlive()
    const asked = findRequest(this.#run, requestId)
    if (asked === undefined) throw notOpen(this.#run, requestId)
    const { request, run, way } = asked
    const answer = LiveRun.of(run).checkAnswer(request, response)
    await this.#deliver(toAnswered(way, request.requestId, answer))
  }

  /**
   * Stops routing, and resolves to the snapshot when no step is at work any more. Steps that run are waited for, and
   * what they return is kept until the run resumes; with `inFlight: 'abort'` they are aborted and run again then.
   * A run that is paused gives its snapshot again.
   *
   * @throws RunFinishedError if the run has ended, or ends before it is paused; BlazenError (`pause_undone`) if it is
   * resumed before; SessionNotSerializableError if the
   * `sessionPausePolicy` refuses: then the run goes on.
   */
  async pause({ inFlight = 'wait' }: PauseOptions = {}): Promise<WorkflowSnapshot> {
    this.#checkAlive()
    const wasPaused = this.status === 'paused'
    await this.#deliver({ type: 'blazen.pause', inFlight } satisfies Paused)
    // Whoever calls this from inside the run, as a listener does, is heard when what happens there has happened.
    await undefined
    const status = await this.#reach((status) => status !== 'pausing')
    if (ended.has(status)) throw new RunFinishedError(this.runId, status)
    if (status !== 'paused') {
      throw new BlazenError(
        'pause_undone',
        `Run ${this.runId} was resumed before it had paused, and goes on. Pause it again for a snapshot.`,
      )
    }
    try {
      const snapshot = this.snapshot()
      if (this.#run.journal === undefined) pausedRuns.set(this.runId, this.#live)
      return snapshot
    } catch (error) {
      if (!wasPaused) this.actor.send({ type: 'blazen.resume' })
      throw error
    }
  }

  /** Goes on with a paused run, here. One that is not paused is left as it is. */
  resume(): void {
    this.#checkAlive()
    pausedRuns.delete(this.runId)
    this.actor.send({ type: 'blazen.resume' })
  }

  /**
   * The run as it is now, as plain JSON data, from which `workflow.resume` goes on in any process. The run is not
   * disturbed. What steps have written that have not settled is not in it; they will run again.
   *
   * @throws SessionNotSerializableError if the `sessionPausePolicy` refuses.
   */
  snapshot(): WorkflowSnapshot {
    return this.actor.getPersistedSnapshot() as unknown as WorkflowSnapshot
  }

  /**
   * What has happened to the run, in order: where it is kept in a store, or was started with `history: true`.
   *
   * @throws BlazenError (`no_history`) for any other run.
   */
  async history(): Promise<readonly HistoryRecord[]> {
    const { journal } = this.#run
    if (!(journal instanceof RunJournal)) {
      throw new BlazenError(
        'no_history',
        `Run ${this.runId} keeps no records: start it with run(input, { history: true }), or on a host.`,
      )
    }
    const records = await journal.records()
    return records.map((record) => toHistory(record, this.#live.blueprint.classes))
  }

  /** What `console.log` shows in Node: not the actor, which is pages long. */
  [inspectCustom](_depth: number, options: object, inspect: (shown: unknown, options: object) => string): string {
    const { runId, status } = this
    return `WorkflowHandler ${inspect({ runId, status }, options)}`
  }

  /** Sends an event to the run; resolves when it is durable, where records are kept. */
  async #deliver(event: AnyEventObject): Promise<void> {
    const durable = this.#run.journal?.durable(event)
    this.actor.send(event)
    await durable
  }

  /** Resolves to the first status, from now on, for which `holds` is true, or with which the run ends. */
  #reach(holds: (status: RunStatus) => boolean): Promise<RunStatus> {
    return new Promise((resolve) => {
      let subscription: { unsubscribe(): void } | undefined
      const look = () => {
        const { status } = this
        if (!holds(status) && !ended.has(status)) return
        subscription?.unsubscribe()
        resolve(status)
      }
      subscription = this.actor.subscribe({ next: look, complete: look, error: look })
      look()
    })
  }

  #checkAlive(): void {
    const { status } = this
    if (ended.has(status)) throw new RunFinishedError(this.runId, status)
  }

  #settle(): Promise<Result> {
    const result = new Promise<Result>((resolve, reject) => {
      const complete = () => {
        const { outcome } = this
        if (outcome?.status === 'fulfilled') resolve(outcome.value)
        else reject(outcome?.reason)
      }
      // Of an actor that was stopped before, a new observer is told nothing.
      if (this.actor.getSnapshot().status === 'stopped') complete()
      else this.actor.subscribe({ complete, error: reject })
    })
    // Whoever awaits it is told; that nobody does is no fault of the process.
    result.catch(() => {})
    return result
  }
}

/** Aborts the run with the signal; the listener goes when the run has ended. */
export function abortOn(signal: AbortSignal, handler: WorkflowHandler): void {
  const abort = () => handler.abort(signal.reason)
  if (signal.aborted) abort()
  const remove = () => signal.removeEventListener('abort', abort)
  signal.addEventListener('abort', abort, { once: true })
  handler.actor.subscribe({ complete: remove, error: remove })
}
