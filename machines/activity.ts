import type { AnyActorRef, AnyActorScope } from 'xstate'
import { clockOf, relay } from './actor-scope.ts'
import { Attempt } from './attempt.ts'
import type { Execution, RoutedEvent } from './execution.ts'
import { Queue } from './queue.ts'
import { computeDelay, type RetryPolicy } from './retry.ts'
import type { Failure, Run, RunEvent, Settled } from './run.ts'
import { onNextTurn, takeTurn } from './turn.ts'

/** A step, as its actor needs to know it. */
export interface StepConfig {
  readonly name: string
  readonly accepts: readonly string[]
  /** How many executions may run at once in a run; `Infinity` for no limit. */
  readonly concurrency: number
  /** For one attempt. */
  readonly timeoutMs: number | undefined
  readonly retry: RetryPolicy | undefined
  /** Calls the user's function. */
  readonly invoke: (attempt: Attempt) => unknown
  /** The events that the function returned, to be routed; throws if it returned anything else. */
  readonly toEvents: (returned: unknown, attempt: Attempt) => readonly RoutedEvent[]
  /** How an error of the function counts: as thrown by the step, or as it is. */
  readonly toFailure: (error: unknown, attempt: Attempt) => Failure
  /** The error of an attempt that ran out of time, which is also the reason of its signal. */
  readonly timedOut: (attempt: Attempt) => unknown
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
  #yielding = false
  #stopped = false

  constructor(
    readonly step: StepConfig,
    /** The scope of the step's actor. */
    readonly scope: AnyActorScope,
    readonly parent: AnyActorRef,
    readonly run: Run,
  ) {}

  add(execution: Execution): void {
    if (this.queued.size === 0 && this.#hasPlace() && takeTurn()) {
      this.#start(execution)
    } else {
      this.queued.push(execution)
      this.#startQueued()
    }
  }

  /** Ends everything at once; nothing is reported any more, and no timer is left. */
  stop(): void {
    this.#stopped = true
    for (const attempt of this.running) {
      this.#end(attempt)
      attempt.discard()
      attempt.abort(this.step.stopReason(this.run))
    }
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
    return this.running.size < this.step.concurrency && !this.#yielding && !this.#stopped
  }

  #start(execution: Execution): void {
    const { step } = this
    const attempt = new Attempt(execution, this.run, this.scope)
    this.running.add(attempt)
    if (step.timeoutMs !== undefined) {
      attempt.timer = clockOf(this.scope).setTimeout(() => this.#timeOut(attempt), step.timeoutMs)
    }
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
    const { step } = this
    let settled: Settled
    try {
      settled = {
        type: 'blazen.settled',
        step: step.name,
        execution: attempt.execution.id,
        events: step.toEvents(returned, attempt),
        writes: attempt.writes,
        collected: attempt.collected?.flatMap((each) => each.taken.map(({ by }) => by)),
      }
    } catch (error) {
      this.#giveUp(attempt, { kind: 'error', error })
      return
    }
    this.#end(attempt)
    this.running.delete(attempt)
    this.#report(settled)
    this.#startQueued()
  }

  #timeOut(attempt: Attempt): void {
    if (attempt.over) return
    const error = this.step.timedOut(attempt)
    this.#fail(attempt, error, { kind: 'error', error })
    attempt.abort(error)
  }

  #fail(attempt: Attempt, error: unknown, failure: Failure): void {
    if (attempt.over) return
    const { retry } = this.step
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
    this.#end(attempt)
    attempt.discard()
    this.#report({ type: 'blazen.retried', execution: execution.id, attempt: attempt.number + 1, delayMs, error })
    const again = () => {
      if (this.#stopped) return
      this.running.delete(attempt)
      this.#start(execution)
    }
    if (delayMs === 0) onNextTurn(again)
    else attempt.timer = clockOf(this.scope).setTimeout(again, delayMs)
  }

  #giveUp(attempt: Attempt, failure: Failure): void {
    this.#end(attempt)
    attempt.discard()
    this.running.delete(attempt)
    this.#report({ type: 'blazen.failed', failure })
  }

  #end(attempt: Attempt): void {
    attempt.over = true
    if (attempt.timer !== undefined) clockOf(this.scope).clearTimeout(attempt.timer)
  }

  #report(event: RunEvent): void {
    relay(this.scope, this.parent, event)
  }
}
