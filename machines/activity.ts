import type { AnyActorRef, AnyActorScope } from 'xstate'
import { clockOf, now, relay } from './actor-scope.ts'
import { Attempt } from './attempt.ts'
import { type ChildLogic, childrenOf } from './child.ts'
import type { Execution, RoutedEvent } from './execution.ts'
import { Queue } from './queue.ts'
import { type Failure, fail, type RunEvent } from './record.ts'
import { computeDelay, type RetryPolicy } from './retry.ts'
import type { Run } from './run.ts'
import type { StateLog, Writes } from './state-log.ts'
import { onNextTurn, takeTurn } from './turn.ts'

/** A step, as its actor needs to know it. */
export interface StepConfig {
  readonly name: string
  readonly accepts: readonly string[]
  /** What it says that it emits; for charts alone. */
  readonly emits?: readonly string[] | undefined
  /** How many executions may run at once in a run; `Infinity` for no limit. */
  readonly concurrency: number
  /** For one attempt. */
  readonly timeoutMs: number | undefined
  readonly retry: RetryPolicy | undefined
  /** Calls the user's function. */
  readonly invoke: (attempt: Attempt) => unknown
  /** The events that the function returned, to be routed; throws if it returned anything else. */
  readonly toEvents: (returned: unknown, attempt: Attempt) => readonly RoutedEvent[]
  /** Keeps elsewhere what the attempt has written for there; `undefined` if there is nothing to wait for. */
  readonly save: (attempt: Attempt) => Promise<void> | undefined
  /** How an error of the function counts: as thrown by the step, or as it is. */
  readonly toFailure: (error: unknown, attempt: Attempt) => Failure
  /** The error of an attempt that ran out of time, which is also the reason of its signal. */
  readonly timedOut: (attempt: Attempt) => unknown
  /** The logic of the run that the step calls `name`; `undefined` for a step that begins none. */
  readonly child: ((name: string) => ChildLogic | undefined) | undefined
  /** The reason of the signals of attempts that a run leaves behind when it ends. */
  readonly stopReason: (run: Run) => unknown
}

/**
 * What a step has under way in this process: the promises, their `AbortController`s and timers, and the executions
 * that wait for a place. An execution keeps its place between two attempts, so that `concurrency: 1` means one after
 * the other, in order.
 */
export class Activity {
  readonly running = new Set<Attempt>()
  readonly queued = new Queue<Execution>()
  /** By execution: what keeps the place between an attempt that failed and the next one, until that is written down. */
  readonly #retrying = new Map<number, Attempt>()
  #yielding = false
  #held = false
  #stopped = false

  constructor(
    readonly step: StepConfig,
    /** The scope of the step's actor. */
    readonly scope: AnyActorScope,
    readonly parent: AnyActorRef,
    readonly run: Run,
  ) {}

  /** Takes an execution in: it starts when there is a place for it. */
  add(execution: Execution): void {
    const place = this.#retrying.get(execution.id)
    if (place !== undefined) {
      this.#retrying.delete(execution.id)
      this.running.delete(place)
      // Where it is over, the execution has been put back, and is in the queue.
      if (!place.over) this.#startAgain(execution)
    } else if (this.queued.size === 0 && this.#hasPlace() && takeTurn()) {
      this.#start(execution)
    } else {
      this.queued.push(execution)
      this.#startQueued()
    }
  }

  /**
   * Starts nothing more until `release`. What is between two attempts is put back; what runs goes on, or is aborted and
   * put back, to run again.
   */
  hold(inFlight: 'wait' | 'abort' | undefined): void {
    this.#held = true
    const back: Execution[] = []
    for (const attempt of this.running) {
      if (attempt.dozing || (inFlight !== 'abort' && !attempt.waiting)) continue
      back.push(attempt.execution)
      this.#giveUpPlace(attempt)
      attempt.discard()
      attempt.abort(new DOMException('The run is paused; this step runs again when it resumes.', 'AbortError'))
    }
    this.#putBack(back)
    this.#report({ type: 'blazen.check' })
  }

  /** Lets what has queued up start. */
  release(): void {
    this.#held = false
    this.#startQueued()
  }

  /** The run has been prepared, or is this process's for certain again: what waited for that starts. */
  wake(): void {
    this.#startQueued()
  }

  /** Ends everything at once; nothing is reported any more, and no timer is left. */
  stop(): void {
    this.#stopped = true
    for (const attempt of this.running) {
      const reason = this.step.stopReason(this.run)
      this.#leave(attempt, reason)
      attempt.discard()
      attempt.abort(reason)
    }
  }

  /** Has executions wait that had their place before: before those that came after them. */
  #putBack(back: Execution[]): void {
    for (let queued = this.queued.shift(); queued !== undefined; queued = this.queued.shift()) back.push(queued)
    for (const execution of back.sort((a, b) => a.id - b.id)) this.queued.push(execution)
  }

  #startQueued(): void {
    while (this.queued.size > 0 && this.#hasPlace()) {
      if (!takeTurn()) {
        this.#yielding = true
        onNextTurn(() => {
          this.#yielding = false
          this.#startQueued()
        })
        return
      }
      const execution = this.queued.shift()
      if (execution !== undefined) this.#start(execution)
    }
  }

  #hasPlace(): boolean {
    const isOpen = !this.#yielding && !this.#held && !this.#stopped && !this.run.preparing && !this.run.halted
    return isOpen && this.running.size < this.step.concurrency && this.run.journal?.isSure !== false
  }

  /** Begins the next attempt of an execution, now or when it is due; it has its place from here on. */
  #start(execution: Execution): void {
    const attempt = new Attempt(execution, this.run, this.scope)
    this.running.add(attempt)
    const waitMs = execution.dueAt === undefined ? 0 : execution.dueAt - now(clockOf(this.scope))
    if (waitMs > 0) {
      attempt.waiting = true
      attempt.timer = clockOf(this.scope).setTimeout(() => this.#call(attempt), waitMs)
    } else {
      this.#call(attempt)
    }
  }

  #call(attempt: Attempt): void {
    const { step } = this
    if (this.run.halted) return
    if (this.run.journal?.isSure === false) {
      attempt.waiting = true
      this.#giveUpPlace(attempt)
      this.#putBack([attempt.execution])
      return
    }
    attempt.waiting = false
    this.run.active++
    if (this.run.journal !== undefined) attempt.startedAt = now(clockOf(this.scope))
    attempt.timer =
      step.timeoutMs === undefined
        ? undefined
        : clockOf(this.scope).setTimeout(() => this.#timeOut(attempt), step.timeoutMs)
    let returned: unknown
    try {
      returned = step.invoke(attempt)
    } catch (error) {
      returned = Promise.reject(error)
    }
    const promise = returned instanceof Promise ? returned : Promise.resolve(returned)
    promise.then(
      (value) => this.#succeed(attempt, value),
      (error) => this.#fail(attempt, error, this.#toFailure(error, attempt)),
    )
  }

  #succeed(attempt: Attempt, returned: unknown): void {
    if (attempt.over) return
    try {
      const events = this.step.toEvents(returned, attempt)
      const saving = this.step.save(attempt)
      if (saving === undefined) this.#settle(attempt, events)
      else this.#settleWhen(saving, attempt, events)
    } catch (error) {
      this.#giveUp(attempt, { kind: 'error', error })
    }
  }

  /** Settles when what the step keeps elsewhere is there too. */
  #settleWhen(saving: Promise<void>, attempt: Attempt, events: readonly RoutedEvent[]): void {
    saving
      .then(() => {
        if (!attempt.over) this.#settle(attempt, events)
      })
      .catch((error: unknown) => this.#fail(attempt, error, { kind: 'error', error }))
  }

  #settle(attempt: Attempt, events: readonly RoutedEvent[]): void {
    const { writes, shared, collected, execution } = attempt
    if (writes !== undefined) this.#resolve(this.run.state, writes)
    if (shared !== undefined && this.run.sharing !== undefined) this.#resolve(this.run.sharing.state, shared)
    const collections = collected?.map(({ type, taken }) => ({
      type,
      // Where another has taken it meanwhile, this one may be the first to settle.
      added: true,
      taken: taken.map(({ by }) => by),
    }))
    const { name: step } = this.step
    this.#leave(attempt)
    // A picture of the run shows it as not settled until the record is there.
    if (collected !== undefined && this.run.journal !== undefined) this.run.collecting.set(execution.id, collected)
    const durationMs = attempt.startedAt === undefined ? undefined : now(clockOf(this.scope)) - attempt.startedAt
    this.#report({
      type: 'blazen.settled',
      step,
      execution: execution.id,
      events,
      writes,
      ...(shared === undefined ? {} : { shared }),
      collected: collections,
      isApplied: true,
      durationMs,
    })
    this.#startQueued()
  }

  #resolve(state: StateLog, writes: Writes): void {
    state.resolve(writes)
    if (this.run.journal !== undefined) state.stage(writes)
  }

  #timeOut(attempt: Attempt): void {
    if (attempt.over) return
    const error = this.step.timedOut(attempt)
    this.#fail(attempt, error, { kind: 'error', error })
    attempt.abort(error)
  }

  #fail(attempt: Attempt, error: unknown, failure: Failure): void {
    if (attempt.over) return
    const { retry = this.step.child === undefined ? this.run.retry : undefined } = this.step
    let final: Failure | undefined = failure
    try {
      if (retry !== undefined && attempt.number < retry.attempts && retry.when(error, attempt.number)) final = undefined
    } catch (thrown) {
      final = this.#toFailure(thrown, attempt)
    }
    if (final !== undefined) this.#giveUp(attempt, final)
    else if (retry !== undefined) this.#retry(attempt, error, computeDelay(retry, attempt.number, Math.random()))
  }

  /** Whatever was thrown, and whatever looking at it does, the run must hear of it. */
  #toFailure(error: unknown, attempt: Attempt): Failure {
    try {
      return this.step.toFailure(error, attempt)
    } catch {
      const { step, event } = attempt.execution
      return { kind: 'step', step, event, attempt: attempt.number, cause: error }
    }
  }

  #retry(attempt: Attempt, error: unknown, delayMs: number): void {
    const { execution } = attempt
    this.#leave(attempt)
    attempt.discard()
    const dueAt = delayMs === 0 ? undefined : now(clockOf(this.scope)) + delayMs
    const isWritten = this.run.journal !== undefined
    if (isWritten) this.#keepPlace(execution)
    this.#report({ type: 'blazen.retried', execution: execution.id, attempt: attempt.number + 1, dueAt, error })
    if (!this.#stopped && !isWritten) this.#startAgain(execution)
  }

  #keepPlace(execution: Execution): void {
    const place = new Attempt(execution, this.run, this.scope)
    place.waiting = true
    this.#retrying.set(execution.id, place)
    this.running.add(place)
  }

  /** Whoever fails keeps the place; but a loop of failures lets the event loop turn. */
  #startAgain(execution: Execution): void {
    if (this.#held) this.#putBack([execution])
    else if (execution.dueAt !== undefined) this.#start(execution)
    else this.#startOnNextTurn(execution)
  }

  #startOnNextTurn(execution: Execution): void {
    const attempt = new Attempt(execution, this.run, this.scope)
    attempt.waiting = true
    this.running.add(attempt)
    onNextTurn(() => {
      if (!attempt.over) this.#call(attempt)
    })
  }

  #giveUp(attempt: Attempt, failure: Failure): void {
    this.#leave(attempt)
    attempt.discard()
    this.#report(fail(failure))
  }

  /** The attempt is over, and with it the runs that it has begun. */
  #leave(attempt: Attempt, reason?: unknown): void {
    this.#giveUpPlace(attempt)
    if (attempt.execution.children !== undefined) this.#leaveChildren(attempt.execution, reason)
  }

  /**
   * The attempt gives up its place; its function may still run, and counts for nothing. The runs that it has begun are
   * there for when it runs again.
   */
  #giveUpPlace(attempt: Attempt): void {
    if (!attempt.waiting && !attempt.dozing) this.run.active--
    attempt.over = true
    this.running.delete(attempt)
    if (attempt.collected !== undefined) this.run.collecting.delete(attempt.execution.id)
    if (attempt.timer !== undefined) clockOf(this.scope).clearTimeout(attempt.timer)
  }

  /** The runs that it has begun, and that go on, are needed no more. */
  #leaveChildren(execution: Execution, reason: unknown = 'The step that it belongs to is over.'): void {
    for (const child of childrenOf(execution)) child.abort(reason)
  }

  #report(event: RunEvent): void {
    relay(this.scope, this.parent, event)
  }
}
