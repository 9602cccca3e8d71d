import type { AnyActorScope } from 'xstate'
import type { Collecting } from './collect.ts'
import { uncollect } from './collect.ts'
import type { Execution } from './execution.ts'
import type { Run } from './run.ts'
import type { Writes } from './state-log.ts'

/** One try of one execution, and what it has done so far. */
export class Attempt {
  /** Its number, from 1. */
  readonly number: number
  /** Settled, failed, timed out or stopped: whatever the function does from here on counts for nothing. */
  over = false
  /** Failed, timed out or stopped: it has left no trace in the run. */
  discarded = false
  /** Not begun: it has its place and waits until it is due. */
  waiting = false
  /** It waits for runs that it has begun, and is not at work. */
  dozing = false
  /** How many events it has sent early. */
  sent = 0
  /** How many the attempts before it have sent: these are routed already. */
  readonly sentBefore: number
  writes: Writes | undefined
  /** What it has written to the state that its run shares. */
  shared: Writes | undefined
  collected: Collecting[] | undefined
  /** Takes off the timeout, or the delay before the next attempt. */
  timer: unknown
  /** When its function was called, where somebody wants to know. */
  startedAt: number | undefined
  #controller: AbortController | undefined
  #aborted: { reason: unknown } | undefined

  constructor(
    readonly execution: Execution,
    readonly run: Run,
    /** The scope of the step's actor. */
    readonly scope: AnyActorScope,
  ) {
    this.number = execution.attempt
    this.sentBefore = execution.sent
  }

  /** Aborted when the run ends without this attempt, or its time is up. Made when first asked for: it is costly. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason)
    }
    return this.#controller.signal
  }

  /** Ends the attempt without a trace: its writes and what it collected are taken back. */
  discard(): void {
    this.over = true
    this.discarded = true
    if (this.writes !== undefined) this.run.state.discard(this.writes)
    if (this.shared !== undefined) this.run.sharing?.state.discard(this.shared)
    if (this.collected !== undefined) uncollect(this.run.collections, this.execution, this.collected, this.run)
    this.writes = undefined
    this.shared = undefined
    this.collected = undefined
  }

  /** Waits for the runs that it has begun: until `wake`, it is not at work. */
  doze(): void {
    if (this.dozing || this.over) return
    this.dozing = true
    this.run.active--
  }

  /** Is at work again. */
  wake(): void {
    if (!this.dozing) return
    this.dozing = false
    if (!this.over) this.run.active++
  }

  /** Aborts the signal of its function. */
  abort(reason: unknown): void {
    this.#aborted = { reason }
    this.#controller?.abort(reason)
  }
}
